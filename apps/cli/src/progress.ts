import { Presets, SingleBar } from 'cli-progress';

const LINE_EVERY_MS = 2_000;

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** On standard error: a bar on a terminal, a line every two seconds elsewhere, nothing where nothing is wanted. */
export function showProgress(what: string, quiet = false): Progress {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar(
    {
      format: `${what} {bar} {value} of {total}, {eta_formatted} left`,
      noTTYOutput: true,
      notTTYSchedule: LINE_EVERY_MS,
      hideCursor: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  return {
    update: (done, total) => {
      if (bar.isActive) bar.update(done);
      else bar.start(total, done);
    },
    stop: () => bar.stop(),
  };
}
