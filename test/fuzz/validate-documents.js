/** Checks the API document against its specification and the rules of Redocly. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, startService } from '../support/python-suite.js';

/** The newest version at the time of writing that runs on Node 20.19. */
const REDOCLY = '@redocly/cli@2.77.0';

const project = fileURLToPath(new URL('../../', import.meta.url));

/** The documents of the service as it is, and of one with other models. */
export async function validateDocuments({ url, bin, folder }) {
  await validate('api-document', { url, bin, folder });
  const models = join(folder, 'models');
  await addModel(models, 'tensor-per-column', 'tensor-per-column', '1');
  // They differ only in punctuation.
  await addModel(models, 'float64', 'float-64', '1.0');
  await addModel(models, 'float64', 'float.64', '1.0');
  await addModel(models, 'float64', 'float-64', '1-0');
  const service = await startService(join(folder, 'data-of-other-models'), {
    MODEL_DIR: models,
    DEFAULT_MODEL: 'tensor-per-column',
    BATCH_WORKER: 'separate',
  });
  try {
    await validate('api-document-of-other-models', { url: service.url, bin, folder });
  } finally {
    await service.stop();
  }
}

async function validate(name, { url, bin, folder }) {
  const document = join(folder, `${name}.json`);
  const answer = await fetch(`${url}/docs-json`);
  await writeFile(document, JSON.stringify(await answer.json(), null, 2));
  await run(join(bin, 'openapi-spec-validator'), ['--schema', '3.1', document]);
  const rules = fileURLToPath(new URL('redocly.yaml', import.meta.url));
  await run('npx', ['--yes', REDOCLY, 'lint', `--config=${rules}`, document], {
    REDOCLY_TELEMETRY: 'off',
    REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
    npm_config_ignore_scripts: 'true',
  });
}

async function addModel(models, from, name, version) {
  const artifact = join(models, name, version);
  await cp(join(project, 'test/support/foreign-models', from), artifact, { recursive: true });
  const manifest = join(artifact, 'manifest.json');
  await writeFile(
    manifest,
    JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), name, version }),
  );
}
