/** The analysts' queries on the record, as the service runs them, with their plans on a full record. */
import { RecordedAnswers, PredictionLog } from '../libs/audit/src/index.js';
import { createDataSource, poolOf } from '../libs/database/src/index.js';
import type { DataSource } from 'typeorm';
import { progress } from './run.js';

const PAGE = 100;
/** No one waits longer for a page. */
const TIMEOUT_MS = 20_000;
const CANCELLED = '57014';
const DAY_MS = 24 * 60 * 60 * 1000;

export interface Explained {
  question: string;
  rows: number;
  /** Infinity if it was not answered in time. */
  ms: number;
  /** Blocks of 8 KB, from memory or from disk. */
  blocks: number;
  /** The kinds of scan in the plan. */
  scans: string;
  plan: string;
}

interface Statement {
  text: string;
  values: unknown[];
}

export async function explainQuestions(url: string): Promise<Explained[]> {
  const dataSource = await createDataSource({ url, entities: [] }).initialize();
  try {
    const explained: Explained[] = [];
    for (const [question, ask] of Object.entries(questions(dataSource))) {
      const statement = await captured(dataSource, ask);
      explained.push(await explain(dataSource, question, statement));
      progress(`  ${question}: ${shownMs(explained.at(-1)!)} ms`);
    }
    return explained;
  } finally {
    await dataSource.destroy();
  }
}

function questions(dataSource: DataSource): Record<string, () => Promise<unknown>> {
  const log = new PredictionLog(dataSource);
  const answers = new RecordedAnswers(dataSource);
  const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS);
  const of = { model: 'heart-failure', version: '2' };
  return {
    'newest page': () => log.page({}, PAGE),
    'a page in the middle': () => log.page({}, PAGE, '500000'),
    'a user': () => log.page({ userId: 7 }, PAGE),
    'a user who does not exist': () => log.page({ userId: 2_000_000_000 }, PAGE),
    'the model most used': () => log.page({ model: 'heart-failure' }, PAGE),
    'a model of one in a thousand': () => log.page({ model: 'churn' }, PAGE),
    'a model never used': () => log.page({ model: 'nothing' }, PAGE),
    'model and version': () => log.page({ model: 'heart-failure', version: '2' }, PAGE),
    'request id': () => log.page({ requestId: 'of-nobody' }, PAGE),
    'status 400': () => log.page({ status: 400 }, PAGE),
    'status 504, of none': () => log.page({ status: 504 }, PAGE),
    'one day, 60 days ago': () => log.page({ from: daysAgo(60), to: daysAgo(59) }, PAGE),
    'one day, 60 days ago, a model of one in a thousand': () =>
      log.page({ from: daysAgo(60), to: daysAgo(59), model: 'churn' }, PAGE),
    'the last hour': () => log.page({ from: new Date(Date.now() - 3_600_000) }, PAGE),
    'models compare: figures since 7 days': () => answers.figures({ ...of, since: daysAgo(7) }),
    'models compare: figures of all time': () => answers.figures(of),
    'models compare: shadow figures since 7 days': () => answers.shadowFigures({ ...of, since: daysAgo(7) }),
    'models compare --replay: first page since 7 days': () =>
      answers.answered({ ...of, since: daysAgo(7) }).next(),
    'models compare: first page beside a shadow': () =>
      answers.shadowed({ ...of, since: daysAgo(7) }, '1').next(),
  };
}

export const shownMs = ({ ms }: Explained) => (ms === Infinity ? `over ${TIMEOUT_MS}` : ms.toFixed(1));

class Captured extends Error {}

/** The statement for a question; it is not run. */
async function captured(dataSource: DataSource, ask: () => Promise<unknown>): Promise<Statement> {
  const pool = poolOf(dataSource);
  const originals = { dataSource: dataSource.query, pool: pool.connect };
  let statement: Statement | undefined;
  const capture = (asked: string | Statement, values: unknown[] = []) => {
    statement = typeof asked === 'string' ? { text: asked, values } : asked;
    throw new Captured();
  };
  Object.assign(dataSource, { query: capture });
  // A long query gets a connection of its own.
  const connection = { limit: async () => undefined, query: capture, release: () => undefined };
  Object.assign(pool, { connect: async () => connection });
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof Captured)) throw error;
  } finally {
    Object.assign(dataSource, { query: originals.dataSource });
    Object.assign(pool, { connect: originals.pool });
  }
  return statement!;
}

/**
 * Run twice: the second time its data is in memory as far as it fits, as for a frequent question. A question
 * that is not answered in time has PostgreSQL's intended plan, and no figures.
 */
async function explain(
  dataSource: DataSource,
  question: string,
  { text, values }: Statement,
): Promise<Explained> {
  const client = await poolOf(dataSource).connect();
  const run = async (options: string) => {
    const { rows } = await client.query({ text: `EXPLAIN (${options}) ${text}`, values });
    return (rows as Record<string, never>[]).map((row) => row['QUERY PLAN']);
  };
  try {
    await client.query(`SET statement_timeout = ${TIMEOUT_MS}`);
    const plan = (await run('ANALYZE, BUFFERS')).join('\n');
    const [[told]] = (await run('ANALYZE, BUFFERS, FORMAT json')) as never as [[Told]];
    return {
      question,
      rows: told.Plan['Actual Rows'],
      ms: told['Planning Time'] + told['Execution Time'],
      blocks: told.Plan['Shared Hit Blocks'] + told.Plan['Shared Read Blocks'],
      scans: scansOf(told.Plan),
      plan,
    };
  } catch (error) {
    if ((error as { code?: string }).code !== CANCELLED) throw error;
    const plan = (await run('COSTS')).join('\n');
    return { question, rows: NaN, ms: Infinity, blocks: NaN, scans: 'not found in time', plan };
  } finally {
    client.release();
  }
}

interface Told {
  Plan: Node;
  'Planning Time': number;
  'Execution Time': number;
}

interface Node {
  'Node Type': string;
  'Index Name'?: string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Node[];
}

/** Each one once, without the months: `Index Scan Backward on requests_…`; scans that never ran are left out. */
function scansOf(plan: Node): string {
  const found = new Set<string>();
  const visit = (node: Node) => {
    const name = node['Index Name'] ?? node['Relation Name'];
    if (name && node['Actual Loops'] > 0 && node['Node Type'].includes('Scan'))
      found.add(`${node['Node Type']} ${name.replace(/_\d{4}_\d\d/, '')}`);
    node.Plans?.forEach(visit);
  };
  visit(plan);
  return [...found].join(', ');
}
