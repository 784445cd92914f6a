import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';

const API = fileURLToPath(new URL('../../api/src/main.js', import.meta.url));

/** The service is a process of its own: this starts it in the foreground and ends as it ends. */
export function serveCommand(): Command {
  return new Command('serve').description('start the API, like npm start').action(async () => {
    const api = spawn(process.execPath, [API], { stdio: 'inherit' });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => api.kill(signal));
    process.exitCode = await new Promise<number>((resolve) => api.once('exit', (code) => resolve(code ?? 1)));
  });
}
