/** How many at once. */
const SLICE = 20;

/**
 * Tells runs of something, some at once, in order. One that can't be told doesn't keep the others untold; when a whole
 * slice can't, the engine is away, and the rest is left for the next time.
 *
 * @throws the first failure, once all that could be told is told
 */
export async function tellEach<T>(items: readonly T[], tell: (item: T) => Promise<unknown>): Promise<void> {
  let failure: PromiseRejectedResult | undefined;
  for (let from = 0; from < items.length; from += SLICE) {
    const slice = items.slice(from, from + SLICE);
    const told = await Promise.allSettled(slice.map(tell));
    const failures = told.filter((result) => result.status === 'rejected');
    failure ??= failures[0];
    if (failures.length === slice.length) break;
  }
  if (failure) throw failure.reason;
}
