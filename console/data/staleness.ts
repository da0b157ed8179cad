import { notifyManager, useQueryClient, type Query } from '@tanstack/react-query';
import { useCallback, useSyncExternalStore } from 'react';
import { isSignedOut } from './client.js';
import { STREAMED } from './live-cache.js';
import { followAgain, useLiveness } from './liveness.js';

/** What is shown is older than it should be: the last attempt to ask again has failed. */
const isStale = (query: Query): boolean =>
  query.isActive() && query.state.status === 'error' && query.state.data !== undefined && !isSignedOut(query.state.error);

const isStreamed = (query: Query): boolean =>
  query.isActive() && query.state.data !== undefined && STREAMED.some(([name]) => name === query.queryKey[0]);

/**
 * Since when what the page shows may be out of date.
 *
 * @returns `asOfMs` of the oldest answer that could not be renewed; undefined as long as everything could. `isLive` is
 * false while changes do not come by themselves. `retry` asks again
 */
export function useStaleness(): {
  readonly asOfMs: number | undefined;
  readonly isLive: boolean;
  readonly retry: () => void;
} {
  const client = useQueryClient();
  const cache = client.getQueryCache();
  const subscribe = useCallback((listener: () => void) => cache.subscribe(notifyManager.batchCalls(listener)), [cache]);
  const asOfMs = useSyncExternalStore(subscribe, () => {
    const times = cache.getAll().flatMap((query) => (isStale(query) ? [query.state.dataUpdatedAt] : []));
    return times.length === 0 ? undefined : Math.min(...times);
  });
  const { isLive } = useLiveness();
  const showsStreamed = useSyncExternalStore(subscribe, () => cache.getAll().some(isStreamed));
  const retry = () => {
    void client.refetchQueries({ predicate: isStale });
    if (!isLive) followAgain();
  };
  return { asOfMs, isLive: isLive || !showsStreamed, retry };
}
