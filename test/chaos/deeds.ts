import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, PATIENT, type Answer, type CallOptions } from '../support/client.js';
import type { PostgresServer } from './postgres-server.js';

/** A request to the service besides predictions, which is done once the service says so. */
interface Deed {
  what: 'disable' | 'remove' | 'name' | 'submit';
  /** The user, the alias, or the batch. */
  id: string;
}

const PEOPLE = 4_000;
const AT_ONCE = 4;
const PAUSE_MS = 60;
const PATIENTS = `${Object.keys(PATIENT).join()}\n${Object.values(PATIENT).join()}\n`;

/** An admin who never rests: each deed has a target of its own, so that its effect can be checked. */
export class Deeds {
  readonly done: Deed[] = [];
  /** Answers that were neither success nor 503. */
  readonly strange: string[] = [];
  private number = 0;
  private isOver = false;
  private readonly running: Promise<void>[];

  private constructor(
    private readonly service: { url: string },
    private readonly token: string,
    private readonly firstPerson: number,
  ) {
    this.running = Array.from({ length: AT_ONCE }, () => this.work());
  }

  static async begin(service: { url: string }, token: string, postgres: PostgresServer): Promise<Deeds> {
    const [first] = await postgres.query<{ id: number }>(
      `WITH people AS (
         INSERT INTO users (username, password, email)
         SELECT 'person-' || gen_random_uuid(), 'no hash', 'person@example.org' FROM generate_series(1, $1) RETURNING id)
       SELECT min(id) AS id FROM people`,
      [PEOPLE],
    );
    return new Deeds(service, token, first!.id);
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
  }

  private async work(): Promise<void> {
    while (!this.isOver && this.number < PEOPLE) {
      await this.doOne(this.number++).catch(() => undefined);
      await sleep(PAUSE_MS);
    }
  }

  private async doOne(number: number): Promise<void> {
    const person = String(this.firstPerson + number);
    const alias = `deed-${number}`;
    const asks: [Deed, method: string, path: string, content?: CallOptions][] = [
      [{ what: 'disable', id: person }, 'PUT', `/toggle-user-permission/${person}/0`],
      [{ what: 'remove', id: person }, 'DELETE', `/remove-user/${person}`],
      [
        { what: 'name', id: alias },
        'PUT',
        `/models/heart-failure/aliases/${alias}`,
        { body: { version: '1' } },
      ],
      [
        { what: 'submit', id: '' },
        'POST',
        '/batches?model=heart-failure',
        { headers: { 'content-type': 'text/csv' }, body: PATIENTS },
      ],
    ];
    const [deed, method, path, content] = asks[number % asks.length]!;
    const answer = await call(this.service, method, path, { ...content, token: this.token });
    this.note({ ...deed, id: deed.id || (answer.body?.id as string) }, answer);
  }

  private note(deed: Deed, { status, text }: Answer): void {
    if (status >= 200 && status < 300) this.done.push(deed);
    // Full, as far as one user may fill it.
    else if (status !== 503 && !(deed.what === 'submit' && status === 429))
      this.strange.push(`${deed.what} ${deed.id}: ${status} ${text}`);
  }
}

const QUESTIONS: Record<Deed['what'], string> = {
  disable: `SELECT id::text FROM users WHERE NOT enabled AND id = ANY ($1::int[])`,
  remove: `SELECT id::text FROM users WHERE removed_datetime IS NOT NULL AND id = ANY ($1::int[])`,
  name: `SELECT alias AS id FROM model_aliases WHERE replaced_datetime IS NULL AND version = '1' AND alias = ANY ($1)`,
  // In the queue, or no longer because it was worked on.
  submit: `
    SELECT batches.id::text FROM batches WHERE id = ANY ($1::uuid[])
      AND (finished_datetime IS NOT NULL OR EXISTS (SELECT FROM pgboss.job WHERE job.id = batches.id))`,
};

/** @throws if a deed was confirmed but not done */
export async function assertDone(postgres: PostgresServer, { done, strange }: Deeds): Promise<void> {
  for (const [what, question] of Object.entries(QUESTIONS)) {
    const ids = done.filter((deed) => deed.what === what).map(({ id }) => id);
    const found = new Set((await postgres.query<{ id: string }>(question, [ids])).map(({ id }) => id));
    assert.deepEqual(
      ids.filter((id) => !found.has(id)),
      [],
      `“${what}” was said to be done, and is not`,
    );
  }
  assert.deepEqual(strange.slice(0, 3), [], `${strange.length} answers were neither success nor 503`);
}
