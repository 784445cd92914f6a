/**
 * `npm run bench:growth`: the cost of a full record. POST /predict at 64 connections on an empty database and one with
 * many recorded predictions and users, in turns, and the analysts' questions to the full one with their plans.
 *
 * The predictions are generated in the database, over the 90 days before now. Both databases are on one server and are
 * used by one service process each; each figure is the median of its rounds.
 */
import { InvalidArgumentError } from 'commander';
import { startApi } from '../test/support/api-process.js';
import { call } from '../test/support/client.js';
import { explainQuestions, shownMs } from './analysts-questions.js';
import { migrateDatabase, openOwnPostgres } from '../test/support/own-postgres.js';
import { fillRecord, fillUsers, tableSizes } from './generated-record.js';
import { load, PREDICT, type Figures, type LoadTarget } from './load.js';
import { createToken } from './peers/peers.js';
import {
  benchCommand,
  connect,
  progress,
  readOptions,
  Rounds,
  runBench,
  table,
  withClient,
  type Place,
} from './run.js';

const command = benchCommand('bench:growth', 'What a full record costs those who predict and those who read.')
  .option('--rows <counts>', 'recorded predictions, one after the other', counts, [0, 1_000_000, 10_000_000])
  .option('--users <count>', 'in the full database', Number, 100_000)
  .option('--plans', 'print the plans as well');
const options = readOptions<{ rows: number[]; users: number; plans?: true }>(command, 3);
const { rounds: ROUNDS, seconds: SECONDS } = options;
const ROWS = options.quick ? [0, 50_000] : options.rows;
const USERS = options.quick ? 1_000 : options.users;
const CONNECTIONS = 64;

await runBench(async ({ ending }) => {
  // Room for the write-ahead log of what is generated; the same for both databases, since they are on one server.
  const database = await ending(openOwnPostgres({ max_wal_size: '8GB' }), ({ close }) => close());
  await withClient(database.superuserUrl, (superuser) =>
    superuser.query(
      'GRANT SET ON PARAMETER session_replication_role TO foretell; GRANT pg_checkpoint TO foretell',
    ),
  );
  const fullUrl = await database.createDatabase('full');
  await migrateDatabase(fullUrl);
  const client = await ending(connect(fullUrl), (client) => client.end());

  const empty = await startService(database.url, CONNECTIONS, ending);
  const full = await startService(fullUrl, USERS, ending);
  progress(`${USERS} users in the full database`);

  const rows: (string | number)[][] = [];
  for (const count of ROWS) {
    await fillRecord(client, count);
    const figures = await compare(empty, full, count);
    rows.push([
      count,
      ...[figures.empty, figures.full].map(({ perSecond }) => Math.round(perSecond)),
      (figures.full.perSecond / figures.empty.perSecond).toFixed(2),
      ...[figures.empty, figures.full].flatMap(({ p50, p99 }) => [p50.toFixed(2), p99.toFixed(2)]),
    ]);
  }
  console.log(
    `${CONNECTIONS} connections, ${USERS} users, median of ${ROUNDS} interleaved rounds of ${SECONDS} s:\n`,
  );
  console.log(
    table(
      [
        'predictions before',
        'empty /s',
        'full /s',
        'full : empty',
        'empty p50 ms',
        'p99 ms',
        'full p50 ms',
        'p99 ms',
      ],
      rows,
    ),
  );
  const slowest = Math.min(...rows.map(([, , , share]) => Number(share)));
  console.log(`\n- at most 10 % slower: ${slowest.toFixed(2)}, ${slowest >= 0.9 ? 'met' : '**not met**'}`);
  console.log(
    `\n${table(['table', 'rows', 'table MB', 'indexes MB', 'partitions'], await tableSizes(client))}`,
  );

  progress("the analysts' questions");
  const answers = await explainQuestions(fullUrl);
  console.log(
    `\n${table(
      ['question', 'rows', 'ms', 'blocks read or found', 'found by'],
      answers.map((answer) => [answer.question, answer.rows, shownMs(answer), answer.blocks, answer.scans]),
    )}`,
  );
  if (!options.plans) return;
  for (const { question, plan } of answers) console.log(`\n### ${question}\n\n\`\`\`\n${plan}\n\`\`\``);
});

/** A service on a database with this many users, one of them calling on each connection. */
async function startService(url: string, users: number, ending: Place['ending']): Promise<LoadTarget> {
  const api = await ending(startApi({ DATABASE_URL: url, JWT_TTL_MINUTES: '600' }), ({ stop }) => stop());
  await createToken(api.url);
  const usernames = await fillUsers(url, users, CONNECTIONS);
  const token: string[] = [];
  for (const username of usernames) {
    const issued = await call(api, 'POST', '/token', { body: { username, password: 'bench' } });
    if (issued.status !== 200) throw new Error(`token: ${issued.status} ${issued.text}`);
    token.push(issued.body.token as string);
  }
  return { url: api.url, token, ...PREDICT };
}

/** In turns, and in reverse order in every other round. */
async function compare(empty: LoadTarget, full: LoadTarget, count: number) {
  const rounds = new Rounds<Figures>();
  const targets = { empty, full };
  for (const target of [empty, full])
    await load({ ...target, connections: CONNECTIONS, seconds: SECONDS / 2 });
  for (let round = 1; round <= ROUNDS; round++) {
    const order = ['empty', 'full'] as const;
    for (const name of round % 2 === 0 ? order.toReversed() : order) {
      const figures = await load({ ...targets[name], connections: CONNECTIONS, seconds: SECONDS });
      rounds.add(figures, name);
      progress(`${count} predictions, round ${round}/${ROUNDS}  ${name}: ${Math.round(figures.perSecond)}/s`);
    }
  }
  return { empty: rounds.median('empty')!, full: rounds.median('full')! };
}

function counts(value: string): number[] {
  const numbers = value.split(',').map(Number);
  if (!numbers.every((number) => Number.isInteger(number) && number >= 0))
    throw new InvalidArgumentError('It must be whole numbers with commas between them.');
  return numbers;
}
