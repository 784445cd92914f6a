/** How many cycles the event loop makes until this settles; if the work ran on it, there would be two or three. */
export async function turnsUntil(done: Promise<unknown>): Promise<number> {
  let isDone = false;
  void done.catch(() => undefined).then(() => (isDone = true));
  let turns = 0;
  for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
  return turns;
}
