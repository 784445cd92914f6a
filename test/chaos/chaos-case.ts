/** How much of a case is run: a minute of each in CI, or everything that is promised. */
export type Scale = 'short' | 'full';

/** One way to break things, and what must hold meanwhile. */
export interface ChaosCase {
  /** What `--only` takes: kebab-case. */
  name: string;
  /** What must hold, in one line. */
  promise: string;
  /** @throws AssertionError if the promise is not kept */
  run(context: ChaosContext): Promise<void>;
}

export interface ChaosContext {
  scale: Scale;
  /** Reports its progress. */
  progress(text: string): void;
  /** A figure for the table at the end. */
  figure(name: string, value: string | number): void;
  /** Cleaned up when the case ends, the last first, however it ends. */
  onEnd(undo: () => unknown): void;
}
