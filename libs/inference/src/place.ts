/** Where a model runs: on the event loop that answers everyone, or in a process of its own. */
export type Place = 'event loop' | 'own process';

/** The best of several runs with this many rows. */
export interface MeasuredRun {
  rows: number;
  ms: number;
}

/** What loading a model in a process of its own showed. */
export interface Measurements {
  /** To make the session, without starting ONNX Runtime, which happens once per process. */
  openMs: number;
  /** In ascending order of rows. */
  runs: readonly MeasuredRun[];
}

/** Up to here the round trip to another process, about 40 µs, is a noticeable part of an answer. */
const MAX_ROW_MS_ON_THE_EVENT_LOOP = 1;

/** The session is made once more on the event loop, and nothing is answered meanwhile. */
const MAX_OPEN_MS_ON_THE_EVENT_LOOP = 50;

/**
 * How long one run may take. On the event loop it delays every other answer; in a process only what is asked of the
 * same model, and longer batches gain nothing more.
 */
export const RUN_BUDGET_MS = { 'event loop': 5, 'own process': 50 } as const satisfies Record<Place, number>;

/** Only a model that is quick, and quick for any input, runs on the event loop. */
export function decidePlace({ openMs, runs }: Measurements, isBounded: () => boolean): Place {
  const isQuick = runs[0]!.ms <= MAX_ROW_MS_ON_THE_EVENT_LOOP && openMs <= MAX_OPEN_MS_ON_THE_EVENT_LOOP;
  return isQuick && isBounded() ? 'event loop' : 'own process';
}

/** Whether its golden values may be checked on the event loop, once the model is known. */
export function isQuickToCheck(place: Place, checkMs: number): boolean {
  return place === 'event loop' && checkMs <= MAX_OPEN_MS_ON_THE_EVENT_LOOP;
}

/** The largest batch within the place's budget; a single row if there is none. */
export function decideBatch(runs: readonly MeasuredRun[], place: Place): MeasuredRun {
  return runs.findLast(({ ms }) => ms <= RUN_BUDGET_MS[place]) ?? runs[0]!;
}
