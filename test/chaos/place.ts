import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { startApi, type ApiProcess } from '../support/api-process.js';
import { memoryMb, processorSeconds } from '../support/process-tree.js';
import type { ChaosContext } from './chaos-case.js';
import { PostgresServer } from './postgres-server.js';
import { patient, type Exchange } from './traffic.js';

export const JWT_SECRET = 'a secret for breaking things alone, of 32 bytes';

/** A PostgreSQL of the case's own. */
export async function openPostgres(
  { onEnd }: ChaosContext,
  ...options: Parameters<typeof PostgresServer.start>
): Promise<PostgresServer> {
  const postgres = await PostgresServer.start(...options);
  onEnd(() => postgres.close());
  return postgres;
}

/** A service that ends with the case. Its tokens are valid for the next one as well. */
export async function openService(
  { onEnd }: ChaosContext,
  databaseUrl: string,
  environment: Record<string, string> = {},
): Promise<ApiProcess> {
  const service = await startApi({
    DATABASE_URL: databaseUrl,
    JWT_SECRET,
    LOG_LEVEL: 'fatal',
    ...environment,
  });
  onEnd(() => service.kill());
  return service;
}

/** The memory of the process, in MB. */
export function residentMb({ process: { pid } }: ApiProcess): number {
  return Math.round(memoryMb(pid!));
}

/** The time so far of the event loop's thread, in microseconds. */
export function eventLoopMicroseconds({ process: { pid } }: ApiProcess): number {
  return processorSeconds(`${pid}/task/${pid}`)! * 1e6;
}

/** Samples the memory until the case ends. */
export function watchMemory({ onEnd }: ChaosContext, service: ApiProcess) {
  let [most, mostOfPart] = [0, 0];
  const look = () => {
    mostOfPart = Math.max(mostOfPart, residentMb(service));
    most = Math.max(most, mostOfPart);
  };
  look();
  const looking = setInterval(look, 100);
  onEnd(() => clearInterval(looking));
  return {
    mostMb: () => most,
    /** Since the last call. */
    mostMbOfPart(): number {
      const found = mostOfPart;
      mostOfPart = 0;
      look();
      return found;
    },
  };
}

interface Row {
  id: string;
  request_uuid: string;
  input: unknown;
  output: unknown;
  status_code: number | null;
}

export interface Comparison {
  answered: number;
  /** Answered with 200, but not in the table: their numbers. */
  missing: number[];
  /** In the table more than once, without a response row, or with other contents than were sent or received. */
  wrong: string[];
  /** Recorded as 200, but never received by the client. */
  unheard: number;
  lastId: string;
}

const PAGE = 20_000;

/** Each request is in a commit, each commit has as many requests as it says, and no writer’s numbers have a gap. */
const FLAWS_OF_COMMITS = `
  WITH written AS (SELECT writer, seq, count(*) AS requests, max(index) AS last FROM requests GROUP BY writer, seq)
  SELECT format('commit %s of writer %s says %s requests, and has %s', seq, writer, count, requests) AS flaw
  FROM commits FULL JOIN written USING (writer, seq) WHERE count IS DISTINCT FROM requests OR last < requests
  UNION ALL
  SELECT format('writer %s has %s commits up to %s', writer, count(*), max(seq))
  FROM commits GROUP BY writer HAVING count(*) <> max(seq)
  UNION ALL
  SELECT format('writer %s may still write, and is said to have ended', commits.writer)
  FROM commits JOIN writers ON id = writer AND seq > last_seq`;

/** Compares what was sent and received with the tables, for the requests of this name after that id. */
export async function compareWithRecord(
  postgres: PostgresServer,
  name: string,
  list: readonly Exchange[],
  afterId = '0',
): Promise<Comparison> {
  const sent = new Map(list.map((exchange) => [exchange.number, exchange]));
  const answered = new Set(list.filter(({ status }) => status === 200).map(({ number }) => number));
  const missing = new Set(answered);
  const seen = new Set<number>();
  const wrong: string[] = [];
  let unheard = 0;
  let lastId = afterId;
  const client = await postgres.connect();
  try {
    for (;;) {
      const { rows } = await client.query<Row>(
        `SELECT requests.id, request_uuid, input, output, status_code
         FROM requests LEFT JOIN responses ON responses.request_id = requests.id
         WHERE requests.id > $1 ORDER BY requests.id LIMIT ${PAGE}`,
        [lastId],
      );
      for (const row of rows) compare(row);
      lastId = rows.at(-1)?.id ?? lastId;
      if (rows.length < PAGE) break;
    }
    wrong.push(...(await client.query<{ flaw: string }>(FLAWS_OF_COMMITS)).rows.map(({ flaw }) => flaw));
  } finally {
    await client.end();
  }
  return { answered: answered.size, missing: [...missing], wrong, unheard, lastId };

  function compare({ request_uuid, input, output, status_code }: Row): void {
    if (!request_uuid.startsWith(`${name}-`)) return;
    const number = Number(request_uuid.slice(name.length + 1));
    const exchange = sent.get(number);
    if (status_code === null) wrong.push(`${request_uuid} has no response row`);
    if (!exchange) wrong.push(`${request_uuid} was never sent`);
    if (!isDeepStrictEqual(input, patient(number))) wrong.push(`${request_uuid} has another input`);
    if (status_code !== 200) return;
    if (seen.has(number)) wrong.push(`${request_uuid} is there twice`);
    seen.add(number);
    missing.delete(number);
    if (!answered.has(number)) unheard++;
    else if (!isDeepStrictEqual(output, JSON.parse(exchange!.body))) {
      wrong.push(`${request_uuid} has another output than ${exchange!.body}`);
    }
  }
}

/** @throws if an answer has no record, or a wrong one */
export function assertRecorded({ missing, wrong, answered }: Comparison): void {
  assert.deepEqual(
    missing.slice(0, 5),
    [],
    `${missing.length} of ${answered} answers have no record; the first of them are these numbers`,
  );
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} records are wrong`);
}
