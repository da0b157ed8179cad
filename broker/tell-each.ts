import { isEngineAway } from './device-update-signals.js';

/** How many at once. */
const AT_ONCE_MAX = 20;

/** What has come of telling several runs. */
export interface Told {
  /** The first one. */
  readonly failure: { readonly error: unknown } | undefined;
  /** The engine does not answer: the rest is left for the next time. */
  readonly isEngineAway: boolean;
}

/**
 * Tells runs of something, some at once, in order. One that can't be told doesn't keep the others untold, however many
 * such there are. Only an engine that does not answer ends it early: each of those that tell stops at its first wait
 * for nothing.
 */
export async function tellEach<T>(items: readonly T[], tell: (item: T) => Promise<unknown>): Promise<Told> {
  let failure: Told['failure'];
  let stopped = 0;
  const left = items.values();
  const tellInTurn = async (): Promise<void> => {
    for (const item of left) {
      try {
        await tell(item);
      } catch (error) {
        failure ??= { error };
        if (!isEngineAway(error)) continue;
        stopped++;
        return;
      }
    }
  };
  const tellers = Math.min(AT_ONCE_MAX, items.length);
  await Promise.all(Array.from({ length: tellers }, tellInTurn));
  return { failure, isEngineAway: tellers > 0 && stopped === tellers };
}

/** As `tellEach`. @throws the first failure, once all that could be told is told */
export async function tellEachOrThrow<T>(items: readonly T[], tell: (item: T) => Promise<unknown>): Promise<void> {
  const { failure } = await tellEach(items, tell);
  if (failure) throw failure.error;
}
