import { Presets, SingleBar, type Options } from 'cli-progress';
import type { ScoringProgress } from '#libs/scoring';

const LINE_EVERY_MS = 2_000;

/** On standard error: a bar on a terminal, a line every two seconds elsewhere, nothing if `quiet`. */
export function showProgress(what: string, quiet = false) {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  const bar = barOnStandardError(`${what} {bar} {value} of {total}, {eta_formatted} left`);
  return {
    update: (done: number, total: number) => {
      if (bar.isActive) bar.update(done);
      else bar.start(total, done);
    },
    stop: () => bar.stop(),
  };
}

/** The same for a file whose size is known in bytes: rows, rows per second, and the time left. */
export function showScoring(quiet = false) {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  const started = performance.now();
  let first: ScoringProgress | undefined;
  const seconds = () => (performance.now() - started) / 1000;
  const bar = barOnStandardError(
    (_options, { progress }, { rows, errors, left }: Record<string, string>) =>
      `${Number.isNaN(progress) ? '' : `${barOf(progress)} ${Math.floor(progress * 100)} %, `}${rows}${errors}${left}`,
  );
  return {
    update: (progress: ScoringProgress) => {
      first ??= progress;
      if (!process.stderr.isTTY && seconds() * 1000 < LINE_EVERY_MS) return;
      const { rows, errors, share } = progress;
      const rate = (rows - progress.resumedRows) / seconds();
      const left = (seconds() / (share - first.share)) * (1 - share);
      const payload = {
        rows: `${rows} rows, ${Math.round(rate)} rows/s`,
        errors: errors > 0 ? `, ${errors} with an error` : '',
        left: Number.isFinite(left) ? `, ${Math.ceil(left)} s left` : '',
      };
      if (bar.isActive) bar.update(share, payload);
      else bar.start(1, share, payload);
    },
    /** With the number of rows, if all are done. */
    stop: (rows?: number, resumedRows = 0) => {
      bar.stop();
      if (rows !== undefined) {
        const scored = rows - resumedRows;
        const before = resumedRows > 0 ? ` on top of ${resumedRows}` : '';
        console.error(
          `Scored ${scored} rows${before} in ${seconds().toFixed(1)} s, ${Math.round(scored / seconds())} rows/s.`,
        );
      }
    },
  };
}

function barOnStandardError(format: Options['format']): SingleBar {
  const options = {
    noTTYOutput: true,
    notTTYSchedule: LINE_EVERY_MS,
    hideCursor: true,
    stream: process.stderr,
  };
  return new SingleBar({ format, ...options }, Presets.shades_classic);
}

const BAR_WIDTH = 30;

function barOf(share: number): string {
  const done = Math.round(share * BAR_WIDTH);
  return '█'.repeat(done) + '░'.repeat(BAR_WIDTH - done);
}
