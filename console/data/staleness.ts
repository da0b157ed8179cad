import { notifyManager, useQueryClient, type Query } from '@tanstack/react-query';
import { useCallback, useSyncExternalStore } from 'react';
import { isSignedOut } from './client.js';

/** What is shown is older than it should be: the last attempt to ask again has failed. */
const isStale = (query: Query): boolean =>
  query.isActive() && query.state.status === 'error' && query.state.data !== undefined && !isSignedOut(query.state.error);

/**
 * Since when what the page shows may be out of date.
 *
 * @returns `asOfMs` of the oldest answer that could not be renewed; undefined as long as everything could. `retry` asks again
 */
export function useStaleness(): { readonly asOfMs: number | undefined; readonly retry: () => void } {
  const client = useQueryClient();
  const cache = client.getQueryCache();
  const subscribe = useCallback((listener: () => void) => cache.subscribe(notifyManager.batchCalls(listener)), [cache]);
  const asOfMs = useSyncExternalStore(subscribe, () => {
    const times = cache.getAll().flatMap((query) => (isStale(query) ? [query.state.dataUpdatedAt] : []));
    return times.length === 0 ? undefined : Math.min(...times);
  });
  return { asOfMs, retry: () => void client.refetchQueries({ predicate: isStale }) };
}
