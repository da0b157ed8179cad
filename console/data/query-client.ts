import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { isSignedOut, isUnreachable } from './client.js';
import { onServerBack, serverIsAway } from './connection.js';
import { keys } from './keys.js';

const STALE_MS = 5_000;

/** The cache of what the server has answered. Whatever fails for want of a server is asked again when it is back. */
export function createQueryClient(): QueryClient {
  const notice = (error: unknown) => {
    if (isUnreachable(error)) serverIsAway();
    // The session has ended elsewhere: the frame shows the sign-in page.
    if (isSignedOut(error)) client.setQueryData(keys.session, null);
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: notice }),
    mutationCache: new MutationCache({ onError: notice }),
    defaultOptions: {
      // A closed network is no reason to wait for the browser to feel online.
      queries: { staleTime: STALE_MS, retry: false, networkMode: 'always' },
      mutations: { retry: false, networkMode: 'always' },
    },
  });
  onServerBack(() => void client.invalidateQueries());
  return client;
}
