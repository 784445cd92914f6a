import { mkdir } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { measuredRun } from './measured-run.js';
import { installPython } from './python-environment.js';

export const MLFLOW_REQUIREMENTS = 'bench/batch/requirements.txt';
const SAVE_MODELS = 'bench/batch/save_mlflow_models.py';

export type Mlflow = Awaited<ReturnType<typeof installMlflow>>;

/** MLflow in an environment of its own, with the committed models saved as its own. */
export async function installMlflow(folder: string) {
  const bin = await installPython('mlflow', MLFLOW_REQUIREMENTS);
  const models = join(folder, 'mlflow-models');
  await mkdir(models);
  // It would keep a database of runs where it is started, and send telemetry about them.
  const environment = {
    MLFLOW_TRACKING_URI: `file:${join(folder, 'mlruns')}`,
    MLFLOW_DISABLE_TELEMETRY: 'true',
  };
  const options = { cwd: folder, env: environment };
  await measuredRun(
    join(bin, 'python'),
    [resolvePath(SAVE_MODELS), resolvePath('model-artifacts'), models],
    options,
  );
  const modelFolder = (model: string) => join(models, model);
  const fixed = ['--content-type', 'csv', '--env-manager', 'local'];
  return {
    /** The folder of its commands. */
    bin,
    /** The variables that they need. */
    environment,
    /** The folder of a saved model. */
    modelFolder,
    /** `mlflow models predict` of a CSV file, as on its command line. */
    predict: (model: string, input: string, output: string) =>
      measuredRun(
        join(bin, 'mlflow'),
        ['models', 'predict', '-m', modelFolder(model), '-i', input, '-o', output, ...fixed],
        options,
      ),
  };
}
