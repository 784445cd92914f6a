/**
 * `npm run test:clients`: the clients that people already have, against the built service. It installs them from PyPI
 * into a folder of its own, starts the service with a database of its own, runs the suite, and leaves nothing.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createUser, run, withService } from '../support/python-suite.js';

const here = fileURLToPath(new URL('.', import.meta.url));

await withService({ requirements: `${here}requirements.txt` }, async ({ url, bin }) => {
  const { token } = await createUser(url, 'clients');
  const suite = ['-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', ...process.argv.slice(2), here];
  await run(join(bin, 'python'), suite, {
    FORETELL_URL: url,
    FORETELL_TOKEN: token,
    PYTHONDONTWRITEBYTECODE: '1',
  });
});
