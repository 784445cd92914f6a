import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const FIXTURE = 'test/support/ring-violation';

/** What the linter says, by file. */
function lint(folder: string): Map<string, string[]> {
  let output: string;
  try {
    output = execFileSync('node_modules/.bin/oxlint', ['--format=json', folder], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: { filename: string; code: string }[] };
  const byFile = new Map<string, string[]>();
  for (const { filename, code } of diagnostics) byFile.set(filename, [...(byFile.get(filename) ?? []), code]);
  return byFile;
}

test('the linter refuses every file that breaks a ring rule on purpose', () => {
  const files = readdirSync(FIXTURE, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const found = lint(FIXTURE);
  expect(files).toHaveLength(9);
  for (const file of files) {
    const rule = file.endsWith('reads-environment.ts') ? 'no-process-env' : 'no-restricted-imports';
    expect(found.get(`${FIXTURE}/${file}`)?.join(), file).toContain(rule);
  }
});
