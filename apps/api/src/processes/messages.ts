import type { Snapshot } from '#libs/observability';
import pTimeout from 'p-timeout';

/** What an API process tells the primary. Node itself and the collection of metrics use the same channel. */
export type ToPrimary =
  | { type: 'foretell:serving'; url: string; model: string }
  | { type: 'foretell:cannot-start'; message: string }
  | { type: 'foretell:batch-submitted' }
  /** What we measured, when the primary asks. */
  | { type: 'foretell:snapshot'; id: number; snapshot: Snapshot }
  /** What do all of us measure? Asked by a process that gets a request for metrics. */
  | { type: 'foretell:metrics-asked'; id: number };

/** What the primary tells its API processes. */
export type FromPrimary =
  | { type: 'foretell:stop' }
  | { type: 'foretell:snapshot-asked'; id: number }
  /** Undefined if it could not be collected. */
  | { type: 'foretell:metrics'; id: number; snapshots?: readonly Snapshot[] };

/** Resolves once it is sent, or the primary is gone. */
export function tellPrimary(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => process.send!(message, undefined, undefined, () => resolve()));
}

const PRIMARY_LIMIT_MS = 5_000;
let asked = 0;

/** What all API processes measure. @throws Error if the primary does not answer */
export function askPrimaryForMetrics(): Promise<readonly Snapshot[]> {
  const id = asked++;
  let hear = (_message: FromPrimary) => {};
  const told = new Promise<readonly Snapshot[]>((resolve, reject) => {
    hear = (message) => {
      if (message.type !== 'foretell:metrics' || message.id !== id) return;
      if (message.snapshots === undefined) reject(new Error('the primary cannot report the metrics'));
      else resolve(message.snapshots);
    };
  });
  process.on('message', hear);
  void tellPrimary({ type: 'foretell:metrics-asked', id });
  const late = new Error('the primary does not report the metrics');
  return pTimeout(told, { milliseconds: PRIMARY_LIMIT_MS, message: late }).finally(() =>
    process.off('message', hear),
  );
}
