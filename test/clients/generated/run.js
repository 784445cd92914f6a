/** Clients are generated from the running service's API document, compiled, and call every group of it. */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../support/python-suite.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/** @param bin of the Python environment with the generator, @param folder to work in */
export async function callWithGeneratedClients({ url, bin, folder, adminToken }) {
  const document = join(folder, 'openapi.json');
  await writeFile(document, await (await fetch(`${url}/docs-json`)).text());
  const environment = {
    FORETELL_URL: url,
    FORETELL_ADMIN_TOKEN: adminToken,
    OPENAPI_DOCUMENT: document,
    PYTHONDONTWRITEBYTECODE: '1',
  };

  const typescript = join(folder, 'typescript');
  await cp(join(here, 'typescript'), typescript, { recursive: true });
  const inFolder = ['--prefix', typescript];
  await run('npm', ['ci', ...inFolder, '--no-audit', '--no-fund', '--silent']);
  const bins = join(typescript, 'node_modules/.bin');
  await run(join(bins, 'openapi-typescript'), [document, '-o', join(typescript, 'schema.d.ts')]);
  await run(join(bins, 'tsc'), ['-p', typescript]);
  await run(process.execPath, [join(typescript, 'out/call-every-group.js')], environment);

  const python = join(folder, 'python');
  const generate = ['generate', '--path', document, '--output-path', join(python, 'foretell_client')];
  // It formats its output with ruff, which is in the same folder.
  const PATH = `${bin}:${process.env.PATH}`;
  await run(join(bin, 'openapi-python-client'), [...generate, '--meta', 'none'], { PATH });
  const suite = join(here, 'call_every_group.py');
  const onPath = { ...environment, PYTHONPATH: python, MYPYPATH: python };
  await run(join(bin, 'mypy'), ['--strict', '--cache-dir', join(folder, 'mypy'), suite], onPath);
  await run(
    join(bin, 'python'),
    ['-m', 'pytest', '-q', '--noconftest', '-p', 'no:cacheprovider', suite],
    onPath,
  );
}
