import { startProcess } from '#libs/processes';

/** Starts the service as a process of its own and resolves once it listens. Its last messages go to stderr. */
export async function startApi(environment: Record<string, string>) {
  const child = startProcess('#api', { environment, isQuiet: true });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    const code = await ended;
    if (code !== 0) throw new Error(`The service ended with code ${code}.`);
  };
  const interrupt = () => void stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const url = await Promise.race([
    new Promise<string>((resolve) =>
      child.once('message', (message) => resolve((message as { url: string }).url)),
    ),
    ended.then(() => Promise.reject(new Error('The service did not start.'))),
  ]);
  return {
    url,
    stop: async () => {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      await stop();
    },
  };
}
