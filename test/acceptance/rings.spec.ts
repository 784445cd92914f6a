import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const FIXTURE = 'test/support/ring-violation';

function findingsOf(command: string, ...args: string[]): unknown {
  let output: string;
  try {
    output = execFileSync(`node_modules/.bin/${command}`, args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  return JSON.parse(output);
}

/** The rules broken on purpose, by file. */
const EXPECTED = {
  'apps/api/src/server/server-imports-route.ts': 'apps/api/src/server',
  'apps/cli/src/app-imports-app.ts': 'apps/cli',
  'apps/worker/src/worker-imports-app.ts': 'apps/worker',
  'libs/audit/src/audit-imports-feature.ts': 'libs/audit',
  'libs/batches/src/batches-imports-predictions.ts': 'libs/batches',
  'libs/errors/src/kit-imports-feature.ts': 'libs/errors',
  'libs/errors/src/kit-imports-type-of-feature.ts': 'libs/errors',
  'libs/errors/src/reads-environment.ts': 'node(no-process-env)',
  'libs/inference/src/inference-imports-database.ts': 'no framework under models and files',
  'libs/micro-batching/src/circle-here.ts': 'a circle',
  'libs/micro-batching/src/circle-there.ts': 'a circle',
  'libs/predictions/src/feature-imports-app.ts': 'libs/predictions',
  'libs/tokens/src/tokens-imports-audit.ts': 'libs/tokens',
  'libs/tokens/src/tokens-passes-the-door.ts': 'libs/tokens',
  'libs/unlisted/src/room-without-line.ts': 'a room without a line',
};

test('every file that breaks a rule on purpose is reported for it', () => {
  const files = readdirSync(FIXTURE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .toSorted();
  const { summary } = findingsOf('depcruise', FIXTURE, '--output-type', 'json') as {
    summary: { violations: { from: string; rule: { name: string }; cycle?: { name: string }[] }[] };
  };
  const { diagnostics } = findingsOf('oxlint', '--format=json', FIXTURE) as {
    diagnostics: { filename: string; code: string }[];
  };
  const found = [
    ...summary.violations.flatMap(({ from, rule, cycle }) =>
      (cycle ?? [{ name: from }]).map(({ name }) => [name, rule.name]),
    ),
    ...diagnostics.map(({ filename, code }) => [filename, code]),
  ];
  expect(files).toEqual(Object.keys(EXPECTED));
  for (const [file, rule] of Object.entries(EXPECTED)) {
    const rules = found.filter(([from]) => from === `${FIXTURE}/${file}`).map(([, name]) => name);
    expect(rules, file).toEqual([rule]);
  }
});
