/**
 * `npm run bench:budget`: where the processor time of a recorded prediction goes, in microseconds by part, beside the smallest
 * program that does the same. A change that adds 5 µs to a part shows in its line.
 *
 * Both are measured in turns without a profiler; their profiles, taken afterwards, only divide that time among the parts.
 */
import { once } from 'node:events';
import type { Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { startApi } from '../test/support/api-process.js';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { load, PREDICT } from './load.js';
import { Measurement, type Sample } from './rounds.js';
import { aboveZero, benchCommand, progress, readOptions, Rounds, runBench, table, type Cell } from './run.js';
import { createBenchUser, TOKENS, type Variant } from './variants.js';

const command = benchCommand('bench:budget', 'Where the time of a recorded prediction goes.').option(
  '--connections <count>',
  'how many callers at once',
  aboveZero,
);
const options = readOptions<{ connections?: number }>(command, 5);
const { rounds: ROUNDS, seconds: SECONDS, connections: CONNECTIONS = 64 } = options;

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const PROGRAMS = { recorded: script('../apps/api/src/main.js'), smallest: script('smallest.js') } as const;
const NAMES = Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[];

/** By where a function is, the first that matches; `name` and `url` as in the profile. */
const PARTS: [part: string, matches: (name: string, url: string) => boolean][] = [
  ['writing to sockets', (name, url) => url === '' && /^(?:writev|write\w*String|writeBuffer)$/.test(name)],
  ['garbage collection', (name) => name === '(garbage collector)'],
  ['ONNX Runtime', (name, url) => /onnxruntime/.test(url) || (url === '' && name === 'run')],
  ['Nest', (_, url) => /node_modules\/@nestjs\//.test(url)],
  ['Fastify', (_, url) => /node_modules\/(?:@fastify|fastify|find-my-way|secure-json-parse)/.test(url)],
  ['pg', (_, url) => /node_modules\/(?:pg|typeorm)/.test(url)],
  ['apps/api', (_, url) => /dist\/apps\/api\//.test(url)],
  ...['audit', 'database', 'inference', 'json', 'micro-batching', 'predictions', 'tokens'].map(
    (name): [string, (_: string, url: string) => boolean] => [
      `libs/${name}`,
      (_, url) => url.includes(`dist/libs/${name}/`),
    ],
  ),
  ['the program itself', (_, url) => /dist\/bench\/smallest/.test(url)],
  ['other libraries', (_, url) => /node_modules\/|dist\//.test(url)],
  ['Node: HTTP, streams, timers', (_, url) => url.startsWith('node:')],
  ['native code and the rest', () => true],
];

interface Profiled extends Variant {
  profile(): Promise<Profiler.Profile>;
}

async function start(name: keyof typeof PROGRAMS, databaseUrl: string, token: string): Promise<Profiled> {
  const environment = { DATABASE_URL: databaseUrl, ...TOKENS, PROFILED: PROGRAMS[name] };
  const { url, process: child, stop } = await startApi(environment, { script: script('profiled.js') });
  const target = { url, token, ...PREDICT };
  return {
    name,
    target,
    pid: child.pid!,
    stop,
    probability: ({ yhat_prob }: { yhat_prob: string }) => yhat_prob,
    async profile() {
      child.send('begin');
      await load({ ...target, connections: CONNECTIONS, seconds: SECONDS });
      child.send('end');
      for (;;) {
        const [message] = (await once(child, 'message')) as [{ profile?: Profiler.Profile }];
        if (message.profile) return message.profile;
      }
    },
  };
}

/** The share of each part in the time that the event loop was not idle. */
function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Map<string, number> {
  const parts = new Map<number, string | undefined>();
  for (const { id, callFrame } of nodes) {
    const { functionName, url } = callFrame;
    const [part] = PARTS.find(([, matches]) => matches(functionName, url))!;
    parts.set(id, functionName === '(idle)' ? undefined : part);
  }
  const times = new Map<string, number>();
  let busy = 0;
  for (const [index, node] of samples.entries()) {
    const part = parts.get(node);
    if (part === undefined) continue;
    times.set(part, (times.get(part) ?? 0) + timeDeltas[index]!);
    busy += timeDeltas[index]!;
  }
  return new Map([...times].map(([part, time]) => [part, time / busy]));
}

await runBench(async ({ ending }) => {
  const { url } = await ending(openOwnPostgres(), ({ close }) => close());
  const token = await createBenchUser(url);
  const measurement = await ending(Measurement.open(url), (opened) => opened.close());
  const programs: Profiled[] = [];
  for (const name of NAMES) programs.push(await ending(start(name, url, token), ({ stop }) => stop()));
  for (const { target } of programs)
    await load({ ...target, connections: CONNECTIONS, seconds: Math.min(2, SECONDS) });

  const rounds = new Rounds<Sample>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const program of round % 2 === 1 ? programs : programs.toReversed())
      rounds.add(await measurement.run(program, CONNECTIONS, SECONDS), program.name);
    progress(`round ${round}/${ROUNDS}`);
  }
  const [recorded, smallest] = NAMES.map((name) => rounds.median(name)!) as [Sample, Sample];
  const shares: Map<string, number>[] = [];
  for (const program of programs) shares.push(sharesOf(await program.profile()));

  const row = (part: string, ours: number, theirs: number): Cell[] => [
    part,
    ours.toFixed(1),
    theirs.toFixed(1),
    (ours - theirs).toFixed(1),
  ];
  const parts = PARTS.map(([part]) =>
    row(
      part,
      (shares[0]!.get(part) ?? 0) * recorded.serviceMicros,
      (shares[1]!.get(part) ?? 0) * smallest.serviceMicros,
    ),
  );
  console.log(
    table(
      ['µs a request', 'Foretell, recorded', 'the smallest program', 'more'],
      [
        ...parts,
        row('**the service**', recorded.serviceMicros, smallest.serviceMicros),
        row('**PostgreSQL**', recorded.databaseMicros, smallest.databaseMicros),
      ],
    ),
  );
  const times = (one: number, other: number) => (one / other).toFixed(2);
  console.log(
    `\n${CONNECTIONS} connections, medians of ${ROUNDS} interleaved rounds of ${SECONDS} s: ` +
      `${Math.round(recorded.perSecond)} and ${Math.round(smallest.perSecond)} requests/s ` +
      `(${times(recorded.perSecond, smallest.perSecond)}); ${times(recorded.serviceMicros, smallest.serviceMicros)} times ` +
      `the service's time, ${times(recorded.databaseMicros, smallest.databaseMicros)} times PostgreSQL's.`,
  );
});
