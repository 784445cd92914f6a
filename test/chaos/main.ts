/**
 * `npm run test:chaos`: breaks things under load and checks whether anything was lost. `--short` runs a little of every
 * case, for CI; `--only <name …>` some of them. Ends with a table of figures, and with 1 if a promise was not kept.
 */
import { Command } from 'commander';
import { hostileClients } from './cases/hostile-clients.js';
import { kill } from './cases/kill.js';
import { loginFlood } from './cases/login-flood.js';
import { overload } from './cases/overload.js';
import { postgresql } from './cases/postgres.js';
import { rollingRestart } from './cases/rolling-restart.js';
import { unknownState } from './cases/unknown-state.js';
import { openRunFolder } from '../support/run-folder.js';
import type { ChaosCase, ChaosContext, Scale } from './chaos-case.js';

/** In the order they run. */
const CASES: readonly ChaosCase[] = [
  kill,
  postgresql,
  unknownState,
  overload,
  rollingRestart,
  loginFlood,
  hostileClients,
];

const names = CASES.map(({ name }) => name);
const options = new Command('test:chaos')
  .description('Breaks things under load and looks whether anything was lost.')
  .option('--short', 'a little of every case')
  .option('--only <name...>', `some of ${names.join(', ')}`)
  .parse()
  .opts<{ short?: true; only?: string[] }>();
const strangers = (options.only ?? []).filter((name) => !names.includes(name));
if (strangers.length > 0) {
  console.error(`There is no case ${strangers.join(', ')}. There are: ${names.join(', ')}.`);
  process.exit(2);
}

const scale: Scale = options.short ? 'short' : 'full';
const startedAt = performance.now();
const progress = (text: string) =>
  process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);

// However this ends, it leaves nothing behind.
const run = openRunFolder();
const rows: string[] = [];
let broken = 0;
for (const chaos of CASES) {
  if (options.only && !options.only.includes(chaos.name)) continue;
  progress(`${chaos.name}: ${chaos.promise}`);
  const undoing: (() => unknown)[] = [];
  const figures: string[] = [];
  const context: ChaosContext = {
    scale,
    progress: (text) => progress(`${chaos.name}: ${text}`),
    figure: (name, value) => figures.push(`${name} ${value}`),
    onEnd: (undo) => undoing.push(undo),
  };
  let verdict = 'kept';
  try {
    await chaos.run(context);
  } catch (error) {
    broken++;
    verdict = 'BROKEN';
    console.error(`${chaos.name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  for (const undo of undoing.toReversed()) {
    try {
      await undo();
    } catch (error) {
      console.error(`${chaos.name}: not undone: ${String(error)}`);
    }
  }
  rows.push(`| ${chaos.name} | ${chaos.promise} | ${figures.join(', ')} | ${verdict} |`);
}
await run.close();

console.log(['| case | promise | figures | |', '|---|---|---|---|', ...rows].join('\n'));
process.exitCode = broken === 0 ? 0 : 1;
