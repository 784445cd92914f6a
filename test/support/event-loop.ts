/** How often the event loop comes round until this is over, well or not; work on it would leave two or three. */
export async function turnsUntil(done: Promise<unknown>): Promise<number> {
  let isDone = false;
  void done.catch(() => undefined).then(() => (isDone = true));
  let turns = 0;
  for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
  return turns;
}
