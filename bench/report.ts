/** The results of a run, as Markdown. */
import type { Limits } from './limit-rounds.js';
import type { Samples } from './rounds.js';
import { table } from './run.js';
import { UNRECORDING_PEERS, VARIANTS, type VariantName } from './variants.js';

const NAMES = Object.keys(VARIANTS) as VariantName[];
const GOALS_AT = 64;

export function comparison(samples: Samples, connectionCounts: readonly number[]): string {
  const rows = connectionCounts.flatMap((connections) => {
    const perSecond = (name: VariantName) => samples.median(name, connections)?.perSecond;
    const fastest = fastestPeer(samples, connections)?.perSecond;
    return NAMES.flatMap((name) => {
      const figures = samples.median(name, connections);
      if (!figures) return [];
      const beside = (other: number | undefined, digits = 1) =>
        other === undefined ? '' : (figures.perSecond / other).toFixed(digits);
      const unrecorded = perSecond('unrecorded');
      return [
        [
          connections,
          VARIANTS[name],
          Math.round(figures.perSecond),
          figures.p50.toFixed(2),
          figures.p99.toFixed(2),
          (figures.p99 / figures.p50).toFixed(1),
          beside(perSecond('tutorial')),
          unrecorded === undefined ? '' : `${((figures.perSecond / unrecorded) * 100).toFixed(0)} %`,
          beside(fastest),
          Math.round(figures.serviceMicros),
          Math.round(figures.databaseMicros),
        ],
      ];
    });
  });
  return table(
    [
      'connections',
      'variant',
      'requests/s',
      'p50 ms',
      'p99 ms',
      'p99/p50',
      'times the tutorial',
      'of unrecorded',
      'times the fastest peer that records nothing',
      'its processor µs',
      "PostgreSQL's µs",
    ],
    rows,
  );
}

export function limitsTable(samples: Samples, { bareCommitMs, record, onnx }: Limits): string {
  const rows = [
    ...onnx.map(({ rowsPerRun, perSecond }) => [
      `bare ONNX Runtime, one thread, ${rowsPerRun} ${rowsPerRun === 1 ? 'row' : 'rows'} a run`,
      `${Math.round(perSecond)} rows/s`,
    ]),
    ...record.map(({ connections, way, rowsPerCommit, perSecond }) => {
      const recorded = samples.median('recorded', connections)!.perSecond;
      return [
        `${way}, ${rowsPerCommit} rows per commit as at ${connections} connections`,
        `${Math.round(perSecond)} rows/s; recorded reaches ${((recorded / perSecond) * 100).toFixed(0)} % of it`,
      ];
    }),
    ['bare commit of one row, p50', `${bareCommitMs.toFixed(2)} ms`],
  ];
  return table(['limit', 'figure'], rows);
}

/** Each goal: met, missed or not measured. */
export function goals(samples: Samples, bareCommitMs: number | undefined): string {
  const at = (name: VariantName) => samples.median(name, GOALS_AT);
  const [recorded, tutorial, unrecorded] = [at('recorded'), at('tutorial'), at('unrecorded')];
  const [smallest, fastify] = [at('smallest'), at('fastify')];
  const most = samples.median('recorded', 256);
  const fastest = fastestPeer(samples, GOALS_AT);
  const alone = samples.median('recorded', 1);
  return [
    goal(
      'at least 0.8 of the smallest program that records',
      ratio(recorded?.perSecond, smallest?.perSecond),
      (x) => x >= 0.8,
    ),
    goal(
      'at most 1.3 times its processor time',
      ratio(recorded?.serviceMicros, smallest?.serviceMicros),
      (x) => x <= 1.3,
    ),
    goal(
      'at most 1.3 times its time of PostgreSQL',
      ratio(recorded?.databaseMicros, smallest?.databaseMicros),
      (x) => x <= 1.3,
    ),
    goal('at least 0.38 of bare Fastify', ratio(recorded?.perSecond, fastify?.perSecond), (x) => x >= 0.38),
    goal('at least 60 times the tutorial', ratio(recorded?.perSecond, tutorial?.perSecond), (x) => x >= 60),
    goal(
      `at least 3 times the fastest peer that records nothing${fastest ? ` (${VARIANTS[fastest.name]})` : ''}`,
      ratio(recorded?.perSecond, fastest?.perSecond),
      (x) => x >= 3,
    ),
    goal('at least 0.7 of unrecorded', ratio(recorded?.perSecond, unrecorded?.perSecond), (x) => x >= 0.7),
    goal('at 256 connections as many as at 64', ratio(most?.perSecond, recorded?.perSecond), (x) => x >= 1),
    goal('p99 under 5 times p50', ratio(recorded?.p99, recorded?.p50), (x) => x < 5),
    goal(
      'at one connection p50 at most 0.3 ms over a bare commit',
      alone && bareCommitMs !== undefined ? alone.p50 - bareCommitMs : undefined,
      (x) => x <= 0.3,
    ),
  ].join('\n');
}

function fastestPeer(samples: Samples, connections: number) {
  const peers = UNRECORDING_PEERS.map((name) => ({
    name,
    perSecond: samples.median(name, connections)?.perSecond ?? 0,
  }));
  const fastest = peers.reduce((a, b) => (a.perSecond >= b.perSecond ? a : b));
  return fastest.perSecond > 0 ? fastest : undefined;
}

const ratio = (one: number | undefined, other: number | undefined) =>
  one === undefined || other === undefined ? undefined : one / other;

function goal(text: string, value: number | undefined, isMet: (value: number) => boolean): string {
  if (value === undefined) return `- recorded, ${text}: not measured`;
  return `- recorded, ${text}: ${value.toFixed(2)}, ${isMet(value) ? 'met' : '**not met**'}`;
}
