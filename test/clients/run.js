/**
 * `npm run test:clients`: existing third-party clients, and clients generated from our API document, against the
 * built service. It installs them into a folder of its own, starts the service with a database of its own, runs the
 * suites, and leaves nothing behind.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createUser, run, setRole, withService } from '../support/python-suite.js';
import { callWithGeneratedClients } from './generated/run.js';

const here = fileURLToPath(new URL('.', import.meta.url));

await withService({ requirements: `${here}requirements.txt` }, async ({ url, bin, folder }) => {
  const { token } = await createUser(url, 'clients');
  const suite = ['-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', ...process.argv.slice(2), here];
  await run(join(bin, 'python'), suite, {
    FORETELL_URL: url,
    FORETELL_TOKEN: token,
    PYTHONDONTWRITEBYTECODE: '1',
  });

  const admin = await createUser(url, 'generated-clients');
  await setRole('generated-clients', 'admin', join(folder, 'data'));
  await callWithGeneratedClients({ url, bin, folder, adminToken: admin.token });
});
