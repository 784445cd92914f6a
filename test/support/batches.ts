import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { call, PATIENT, type Answer } from './client.js';
import type { TestDatabase } from './test-database.js';

/** The time limit for a worker's steps of a few seconds, on a busy machine. */
export const IN_TIME = { timeout: 90_000, interval: 20 };

/** Patients whose first column counts them, so that every row of an output is unique. */
export function patients(rows: number): string {
  const lines = [`patient,${Object.keys(PATIENT).join()}`];
  for (let row = 1; row <= rows; row++) {
    lines.push(
      `${row},${40 + (row % 50)},${100 + (row % 7000)},${20 + (row % 60)},250000,1.${row % 10},135,1,0`,
    );
  }
  return `${lines.join('\n')}\n`;
}

interface Sender {
  url: string;
}

/** Without any type if `type` is empty. */
export async function submit(
  api: Sender,
  token: string | undefined,
  body: string | Buffer,
  { query = 'model=heart-failure', type = 'text/csv' }: { query?: string; type?: string } = {},
): Promise<Answer> {
  const response = await fetch(`${api.url}/batches?${query}`, {
    method: 'POST',
    headers: { ...(type && { 'content-type': type }), ...(token && { authorization: `Bearer ${token}` }) },
    body: Buffer.from(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}

/** Sends a file that must be accepted. @returns its id */
export async function submitted(...sent: Parameters<typeof submit>): Promise<string> {
  const answer = await submit(...sent);
  expect(answer.status, answer.text).toBe(202);
  return answer.body.id as string;
}

export function look(api: Sender, token: string, id: string): Promise<Answer> {
  return call(api, 'GET', `/batches/${id}`, { token });
}

/** The answer of `GET /batches/{id}` once it is in this state. */
export async function reached(api: Sender, token: string, id: string, state: string, timeout = 120_000) {
  let answer!: Answer;
  await expect
    .poll(
      async () => {
        answer = await look(api, token, id);
        return answer.body.state === 'failed' && state !== 'failed' ? answer.body.failure : answer.body.state;
      },
      { timeout, interval: 50 },
    )
    .toBe(state);
  return answer.body;
}

/** The row of a batch. */
export async function rowOf(database: Pick<TestDatabase, 'query'>, id: string) {
  const [row] = await database.query<Record<string, never>>('SELECT * FROM batches WHERE id = $1', [id]);
  return row!;
}

/** Resolves in the middle of its first run, when some but not all rows are safe, with the file with their number. */
export async function middleOf(batchDir: string, id: string): Promise<string> {
  const checkpoint = join(batchDir, id, 'run-1', 'output.partial.checkpoint');
  await expect.poll(() => existsSync(checkpoint), IN_TIME).toBe(true);
  return checkpoint;
}

export function output(api: Sender, token: string, id: string): Promise<Answer> {
  return call(api, 'GET', `/batches/${id}/output`, { token });
}

/** The rows of a CSV output by their columns; none of these files quotes anything. */
export function rowsOf(csv: string): Record<string, string>[] {
  const [header, ...lines] = csv.trimEnd().split('\n');
  const names = header!.split(',');
  return lines.map((line) => {
    const values = line.split(',');
    return Object.fromEntries(names.map((name, index) => [name, values[index]!]));
  });
}

/** The result of every row, in order: each is there once. */
export function expectEveryRowOnce(csv: string, rows: number): void {
  const [header, ...lines] = csv.trimEnd().split('\n');
  const column = header!.split(',').indexOf('patient');
  const patientsOf = lines.map((line) => Number(line.split(',', column + 1)[column]));
  expect(patientsOf).toHaveLength(rows);
  expect(patientsOf.findIndex((patient, index) => patient !== index + 1)).toBe(-1);
}

/** The nice value of the process's main thread (Linux only). */
export function nicenessOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}
