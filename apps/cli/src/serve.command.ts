import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { startProcess } from '#libs/processes';

interface ServeOptions {
  model?: string;
  port?: string;
  host?: string;
}

/** The service is a process of its own: this starts it in the foreground and ends as it ends. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('start the API, like npm start')
    .option(
      '-m, --model <model>',
      'the model behind /predict: the folder of an artifact, or models:/name/3, models:/name@alias',
    )
    .option('-p, --port <port>', 'the port to listen on; by default PORT', port)
    .option('--host <host>', 'the address to listen on; by default HOST')
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const environment = {
    ...(options.model && { DEFAULT_MODEL: await referenceOf(options.model) }),
    ...(options.port && { PORT: options.port }),
    ...(options.host && { HOST: options.host }),
  };
  const api = startProcess('#api', { environment });
  // It is in another process group, and learns of Ctrl+C and of a closed terminal from us.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => api.kill('SIGTERM'));
  process.exitCode = await new Promise<number>((resolve) => api.once('exit', (code) => resolve(code ?? 1)));
}

/** A folder is registered first: callers get answers from a version that the record can name. */
async function referenceOf(model: string): Promise<string> {
  if (model.startsWith('models:/')) return model;
  const [{ origin, withFeatures }, { RegisterVersion }] = await Promise.all([
    import('./command-context.js'),
    import('#libs/models'),
  ]);
  const { version } = await withFeatures((features) =>
    features.get(RegisterVersion).register(resolve(model), origin()),
  );
  return `models:/${version.name}/${version.version}`;
}

function port(value: string): string {
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return value;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}
