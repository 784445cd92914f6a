import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { measuredRun, type Run } from './measured-run.js';

const REQUIREMENTS = 'test/bench/batch/requirements.txt';
const SAVE_MODELS = 'test/bench/batch/save_mlflow_models.py';
const CACHE = 'node_modules/.cache/foretell-bench-batch';

/** MLflow in an environment of its own, with the committed models saved as its own. */
export interface Mlflow {
  /** `mlflow models predict` of a CSV file, as its command line does it. */
  predict(model: string, input: string, output: string): Promise<Run>;
}

/** Installs what `requirements.txt` pins, once for each content of it. */
export async function installMlflow(folder: string, progress: (text: string) => void): Promise<Mlflow> {
  const bin = await installPeers(progress);
  const models = join(folder, 'mlflow-models');
  await mkdir(models);
  // It would keep a database of runs where it is started, and tell its makers about them.
  const options = {
    cwd: folder,
    env: { MLFLOW_TRACKING_URI: `file:${join(folder, 'mlruns')}`, MLFLOW_DISABLE_TELEMETRY: 'true' },
  };
  await measuredRun(
    join(bin, 'python'),
    [resolvePath(SAVE_MODELS), resolvePath('model-artifacts'), models],
    options,
  );
  const fixed = ['--content-type', 'csv', '--env-manager', 'local'];
  return {
    predict: (model, input, output) =>
      measuredRun(
        join(bin, 'mlflow'),
        ['models', 'predict', '-m', join(models, model), '-i', input, '-o', output, ...fixed],
        options,
      ),
  };
}

/** @returns the folder of the commands */
async function installPeers(progress: (text: string) => void): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = resolvePath(CACHE, digest);
  const bin = join(folder, 'bin');
  const isComplete = join(folder, 'complete');
  if (existsSync(isComplete)) return bin;
  progress(`installing ${REQUIREMENTS} into ${folder}`);
  await rm(folder, { recursive: true, force: true });
  await measuredRun(process.env.PYTHON ?? 'python3', ['-m', 'venv', folder]);
  await measuredRun(join(bin, 'python'), ['-m', 'pip', 'install', '--quiet', '--requirement', REQUIREMENTS]);
  writeFileSync(isComplete, '');
  return bin;
}
