import { cpSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { request, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HEART_FAILURE_2, makeArtifact } from '../support/artifacts.js';
import { output, patients, reached, submitted } from '../support/batches.js';
import { ANSWER, call, createUser, PATIENT, type TestUser } from '../support/client.js';
import type { DataDir, Service, StartOptions } from '../support/data-dir.js';
import { predict, startLoad, unrecorded } from '../support/prediction-client.js';
import { createModelDir } from '../support/prepared-service.js';
import {
  createDataDir,
  createPreparedDataDir,
  expectToStop,
  startPrepared,
} from '../support/test-data-dir.js';

const TWO = { WEB_CONCURRENCY: '2', LOG_LEVEL: 'info' };
/** A start takes a second or two of processor time, and a polled condition may need one. */
const IN_TIME = { timeout: 60_000, interval: 20 };

const startTwo = (options?: StartOptions) => startPrepared({ environment: TWO, ...options });

/** The processes on this machine that report that they serve. */
async function servingPids(dataDir: DataDir): Promise<number[]> {
  const rows = await dataDir.query<{ pid: number }>('SELECT pid FROM serving_processes ORDER BY pid');
  return rows.map(({ pid }) => pid);
}

/** Each over a connection of its own: the primary distributes connections. */
const ownConnection = { connection: 'close' };

const statusOf = async (service: Service, { token }: TestUser) =>
  (await call(service, 'POST', '/predict', { body: PATIENT, token, headers: ownConnection })).status;

/** JSON lines of the log with this message. */
function logged(service: Pick<Service, 'output'>, message: string): Record<string, unknown>[] {
  return service
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === message);
}

/** A prediction whose head has arrived but not its body, so it stays in flight for as long as we like. */
async function inFlight(service: Service, { token }: TestUser) {
  const call = request(`${service.url}/predict`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      expect: '100-continue',
    },
  });
  const answered = once(call, 'response') as Promise<[IncomingMessage]>;
  call.flushHeaders();
  await once(call, 'continue');
  return async () => {
    call.end(JSON.stringify(PATIENT));
    const [response] = await answered;
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return { status: response.statusCode, connection: response.headers.connection, text };
  };
}

/**
 * A connection that arrives as the last process closes is answered by nobody until the service has ended (docs/adr/0013): it
 * is given up, and the next one is refused.
 */
async function isRefused(service: Service): Promise<boolean> {
  const signal = AbortSignal.timeout(1_000);
  return fetch(`${service.url}/livez`, { headers: ownConnection, signal }).then(
    () => false,
    () => !signal.aborted,
  );
}

const ANSWERED_LAST = {
  status: 200,
  connection: 'close',
  text: ANSWER,
};

describe('with WEB_CONCURRENCY=2', () => {
  test('two processes serve one port, say so once, and see one another’s changes', async () => {
    const dataDir = createDataDir();
    const messages: unknown[] = [];
    const modelDir = createModelDir({ own: ['heart-failure'] });
    cpSync(HEART_FAILURE_2, join(modelDir, 'heart-failure/2'), { recursive: true });
    const starting = dataDir.spawnService({
      environment: { ...TWO, LOG_LEVEL: 'debug', MODEL_DIR: modelDir },
    });
    starting.process.on('message', (message) => messages.push(message));
    const service = { ...starting, ...(await starting.listening) };
    expect(service.output().match(/^Foretell is ready\.$/gm)).toHaveLength(1);
    expect(service.output()).toContain(`  API            ${service.url} (2 processes)\n`);
    const pids = await servingPids(dataDir);
    expect(pids).toHaveLength(2);
    expect(pids).not.toContain(service.process.pid);

    const [user, admin] = [await createUser(service, dataDir), await createUser(service, dataDir, 'admin')];
    /** The processes that answered `/predict`, according to the log. */
    const answeredBy = () =>
      new Set(logged(service, 'request').flatMap(({ pid, route }) => (route === '/predict' ? [pid] : [])));
    await expect
      .poll(async () => {
        expect(await statusOf(service, user)).toBe(200);
        return [...answeredBy()].toSorted();
      }, IN_TIME)
      .toEqual(pids);

    const promoted = await call(service, 'PUT', '/models/heart-failure/aliases/production', {
      body: { version: '2' },
      token: admin.token,
    });
    expect(promoted.status, promoted.text).toBe(200);
    await Promise.all(Array.from({ length: 20 }, () => statusOf(service, user)));
    const rows = await dataDir.query(
      `SELECT DISTINCT model_version FROM requests WHERE id IN (SELECT id FROM requests ORDER BY id DESC LIMIT 20)`,
    );
    expect(rows).toEqual([{ model_version: '2' }]);

    await call(service, 'PUT', `/toggle-user-permission/${user.id}/0`, { token: admin.token });
    const refusedByAll = async () => {
      const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(service, user)));
      return statuses.every((status) => status === 401);
    };
    await expect.poll(refusedByAll, IN_TIME).toBe(true);

    await expectToStop(dataDir, service, { stderr: '' });
    expect(messages).toEqual([{ url: service.url }]);
  });

  test('one that is killed is replaced, after a growing pause, and the other answers meanwhile', async () => {
    const { dataDir, service, user } = await startTwo();
    const [survivor, ...victims] = await servingPids(dataDir);
    for (let death = 1; death <= 2; death++) {
      const victim = victims.at(-1)!;
      process.kill(victim, 'SIGKILL');
      await expect
        .poll(() => logged(service, 'an API process ended and is started again').length, IN_TIME)
        .toBe(death);
      expect(await statusOf(service, user)).toBe(200);
      await expect.poll(() => logged(service, 'an API process serves again').length, IN_TIME).toBe(death);
      const known = new Set([survivor, ...victims]);
      victims.push(...(await servingPids(dataDir)).filter((pid) => !known.has(pid)));
      expect(victims).toHaveLength(death + 1);
    }
    expect(logged(service, 'an API process ended and is started again')).toMatchObject(
      victims.slice(0, -1).map((pid, index) => ({
        level: 'error',
        pid,
        reason: 'One of the API processes ended with SIGKILL.',
        restart_in_ms: 100 * 2 ** index,
      })),
    );
    expect(() => process.kill(survivor!, 0)).not.toThrow();
    await expectToStop(dataDir, service);
  });

  test('batches have one worker, whichever process they were sent to', async () => {
    const { dataDir, service, user } = await startTwo();
    const workers = async () =>
      (await dataDir.processes()).filter((line) => line.includes('apps/worker/src/main.js'));
    const file = patients(1000);
    // More uploads than processes, each on a connection of its own.
    const ids = await Promise.all(Array.from({ length: 6 }, () => submitted(service, user.token, file)));
    await expect.poll(async () => (await workers()).length, IN_TIME).toBe(1);
    for (const id of ids) {
      await reached(service, user.token, id, 'succeeded');
      expect(await workers()).toHaveLength(1);
    }
    expect((await output(service, user.token, ids[0]!)).text.trimEnd().split('\n')).toHaveLength(1001);
    await expectToStop(dataDir, service);
  });
});

describe('a stop of two processes', () => {
  test('under load: every answer is complete, every 200 is in the tables, and it ends with 0', async () => {
    const { dataDir, service, user } = await startTwo();
    const load = startLoad(16, service, user);
    await load.reached(200);
    const finish = await inFlight(service, user);
    const ending = service.signal('SIGTERM');
    await expect.poll(() => isRefused(service), IN_TIME).toBe(true);
    expect(await finish()).toEqual(ANSWERED_LAST);
    expect(await ending).toMatchObject({ code: 0, signal: null, stderr: '' });
    await load.ended;
    expect(load.incomplete).toEqual([]);
    expect(await dataDir.processes()).toEqual([]);
    expect(await unrecorded(dataDir, load.answered)).toEqual([]);
  });

  test('by Ctrl+C, which reaches all processes: the same', async () => {
    // A process group of its own, because a terminal sends the signal to the group.
    const { dataDir, service, user } = await startTwo({ detached: true });
    const finish = await inFlight(service, user);
    process.kill(-service.process.pid!, 'SIGINT');
    await expect.poll(() => isRefused(service), IN_TIME).toBe(true);
    expect(await finish()).toEqual(ANSWERED_LAST);
    expect(await service.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(await dataDir.processes()).toEqual([]);
  });

  test('by SIGKILL of the primary: they finish what is in flight, end, and the next start takes over', async () => {
    const { dataDir, service, user } = await startTwo();
    const load = startLoad(16, service, user);
    await load.reached(200);
    const finish = await inFlight(service, user);
    service.process.kill('SIGKILL');
    await expect.poll(() => isRefused(service), IN_TIME).toBe(true);
    const environment = { ...TWO, PORT: new URL(service.url).port };
    const starting = dataDir.startService({ environment });
    expect(await finish()).toEqual(ANSWERED_LAST);
    await load.ended;
    const next = await starting;
    await predict(next, user.token);
    expect(load.incomplete).toEqual([]);
    expect(await unrecorded(dataDir, load.answered)).toEqual([]);
    await expect.poll(async () => (await servingPids(dataDir)).length, IN_TIME).toBe(2);
    await expectToStop(dataDir, next);
  });

  test('by SIGKILL of the primary, and no other start: nothing is left, the database is stopped too', async () => {
    const { dataDir, service } = await startTwo();
    service.process.kill('SIGKILL');
    await expect.poll(() => dataDir.processes(), IN_TIME).toEqual([]);
  });
});

describe('a start of two processes that cannot succeed ends like that of one', () => {
  test('without a usable model', async () => {
    const dataDir = await createPreparedDataDir();
    const modelDir = join(dirname(dataDir.path), 'models');
    await makeArtifact(join(modelDir, 'heart-failure/1'), { manifest: { sha256: 'a'.repeat(64) } });
    const attempt = (environment: Record<string, string>) =>
      dataDir.spawnService({ environment: { ...environment, MODEL_DIR: modelDir } }).ended;
    const alone = await attempt({});
    expect(alone).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Foretell cannot start\. /) });
    const { code, stderr, stdout } = await attempt({ WEB_CONCURRENCY: '2' });
    expect({ code, stderr }).toEqual({ code: 1, stderr: alone.stderr });
    expect(stdout).not.toContain('Foretell is ready');
    expect(await dataDir.processes()).toEqual([]);
  });

  test('on a port in use: it names the port and PORT, and leaves no database running', async () => {
    const dataDir = await createPreparedDataDir();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as { port: number };
      const attempt = (environment: Record<string, string>) =>
        dataDir.spawnService({ environment: { ...environment, PORT: String(port) } }).ended;
      const alone = await attempt({});
      expect(alone.code).toBe(1);
      expect(alone.stderr).toMatch(
        new RegExp(`^Foretell cannot start\\. Port ${port} on 127\\.0\\.0\\.1 is taken`),
      );
      expect(alone.stderr).toMatch(/set PORT to a free one/);
      expect(alone.stderr).not.toContain('    at ');
      expect(await dataDir.processes()).toEqual([]);
      const { code, stderr } = await attempt({ WEB_CONCURRENCY: '2' });
      expect({ code, stderr }).toEqual({ code: 1, stderr: alone.stderr });
      expect(await dataDir.processes()).toEqual([]);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test('because one was killed', async () => {
    const dataDir = await createPreparedDataDir();
    const service = dataDir.spawnService({ environment: TWO });
    const children = async () =>
      (await dataDir.processes())
        .filter((line) => line.includes('apps/api/src/main.js'))
        .map((line) => Number.parseInt(line, 10))
        .filter((pid) => pid !== service.process.pid);
    let victims: number[] = [];
    await expect.poll(async () => (victims = await children()).length, { ...IN_TIME, interval: 5 }).toBe(2);
    process.kill(victims[0]!, 'SIGKILL');
    expect(await service.ended).toMatchObject({
      code: 1,
      stderr: 'Foretell cannot start. One of the API processes ended with SIGKILL.\n',
    });
    expect(await dataDir.processes()).toEqual([]);
  });
});

describe('told to stop, with time to drain', () => {
  test.each([
    ['one process', '1'],
    ['two processes', '2'],
  ])(
    '%s: /readyz says so, and everything is answered on connections that end with it, until the time is over',
    async (_, count) => {
      const environment = { WEB_CONCURRENCY: count, DRAIN_MS: '600000' };
      const { service, user } = await startPrepared({ environment });
      const ready = (path: string) => call(service, 'GET', path, { headers: ownConnection });
      expect(await ready('/readyz')).toMatchObject({ status: 200, body: { status: 'ok' } });

      const ended = service.signal('SIGTERM');
      const unready = async (path: string) =>
        (await Promise.all(Array.from({ length: 8 }, () => ready(path)))).every(
          ({ status }) => status === 503,
        );
      await expect.poll(() => unready('/readyz'), IN_TIME).toBe(true);
      expect(await unready('/v2/health/ready')).toBe(true);
      expect(await ready('/livez')).toMatchObject({ status: 200 });
      expect(await ready('/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
      const answer = await call(service, 'POST', '/predict', { body: PATIENT, token: user.token });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('connection')).toBe('close');

      // A second signal ends the wait.
      void service.signal('SIGTERM');
      expect(await ended).toMatchObject({ code: 1 });
    },
  );
});
