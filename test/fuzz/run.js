/**
 * `npm run test:fuzz`: validates the API document, then calls each operation with what it allows and with what it
 * does not, as each role and without a token. The document must have every answer, none a 5xx. `--seed` repeats a run;
 * `--examples` sets the maximum number of calls per operation, `--role` and `--path` (a pattern) run only a part.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { createUser, run, setRole, withService } from '../support/python-suite.js';
import { validateDocuments } from './validate-documents.js';

const ROLES = ['nobody', 'user', 'analyst', 'admin'];
/** Accounts that may be disabled and removed. */
const VICTIMS = 40;
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];

const { seed, examples, role, path, short } = new Command('test:fuzz')
  .option(
    '--short',
    'for CI: only nobody and admins go through what is derived from the document case by case',
  )
  .option('--seed <number>', 'of the run that is to be repeated', String(randomInt(2 ** 31)))
  .option('--examples <number>', 'calls of an operation at most, for each role', '12')
  .option('--role <role>', `one of ${ROLES.join(', ')}`)
  .option('--path <pattern>', 'of the operations that are called')
  .parse()
  .opts();

const here = fileURLToPath(new URL('.', import.meta.url));
const service = {
  requirements: `${here}requirements.txt`,
  // Uploads are never scored; wrong passwords and registrations are frequent here.
  environment: {
    BATCH_WORKER: 'separate',
    LOGIN_FAILURES_PER_MINUTE: '10000',
    REGISTRATIONS_PER_MINUTE: '10000',
  },
};

await withService(service, async ({ url, bin, folder }) => {
  await validateDocuments({ url, bin, folder });
  const victims = await Promise.all(
    Array.from({ length: VICTIMS }, (_, index) => createUser(url, `victim-${index}`)),
  );
  const accounts = {};
  for (const name of ROLES.slice(1)) {
    accounts[name] = await createUser(url, `fuzz-${name}`);
    await setRole(`fuzz-${name}`, name, join(folder, 'data'));
  }
  const failed = [];
  for (const name of role ? [role] : ROLES) {
    console.log(`\n== as ${name}, seed ${seed}`);
    const token = accounts[name]?.token;
    const isBrief = short && name !== 'nobody' && name !== 'admin';
    const phases = isBrief ? 'examples,fuzzing' : 'examples,coverage,fuzzing';
    const options = [
      `--checks=${CHECKS.join()}`,
      `--phases=${phases}`,
      `--seed=${seed}`,
      `--max-examples=${examples}`,
      '--generation-database=none',
      '--request-timeout=60',
      '--suppress-health-check=all',
      '--warnings=off',
      '--continue-on-failure',
      '--no-color',
    ];
    if (token) options.push(`--header=Authorization: Bearer ${token}`);
    if (path) options.push(`--include-path-regex=${path}`);
    await run(join(bin, 'st'), ['run', `${url}/docs-json`, ...options], {
      SCHEMATHESIS_HOOKS: 'hooks',
      PYTHONPATH: here,
      PYTHONDONTWRITEBYTECODE: '1',
      FUZZ_SPARED: Object.values(accounts)
        .map(({ id }) => id)
        .join(),
      FUZZ_VICTIMS: victims.map(({ id }) => id).join(),
    }).catch(() => failed.push(name));
  }
  if (failed.length > 0)
    throw new Error(`As ${failed.join(', ')}: not as documented. Again with --seed ${seed}.`);
});
