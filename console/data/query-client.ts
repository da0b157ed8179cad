import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { isHeldBack, isPassing, isSignedOut, isUnreachable } from './client.js';
import { onServerBack, serverIsAway } from './connection.js';
import { keys } from './keys.js';

const STALE_MS = 5_000;
/** What could not be asked for is asked for again after this time; lists that the server keeps live would not ask. */
const RETRY_MS = 10_000;

/** The cache of what the server has answered. Whatever fails for want of a server is asked again when it is back. */
export function createQueryClient(): QueryClient {
  const notice = (error: unknown) => {
    if (isUnreachable(error)) serverIsAway();
    // The session has ended elsewhere: the frame asks to sign in again.
    if (isSignedOut(error)) client.setQueryData(keys.session, null);
    // It may have ended as well: the question who is signed in is always answered.
    if (isHeldBack(error)) void client.invalidateQueries({ queryKey: keys.session });
  };
  const client = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (query.queryKey[0] !== keys.session[0] || !isHeldBack(error)) notice(error);
      },
    }),
    mutationCache: new MutationCache({ onError: notice }),
    defaultOptions: {
      // A closed network is no reason to wait for the browser to feel online.
      queries: {
        staleTime: STALE_MS,
        retry: false,
        networkMode: 'always',
        refetchInterval: ({ state }) => (state.status === 'error' && isPassing(state.error) ? RETRY_MS : false),
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  });
  onServerBack(() => void client.invalidateQueries());
  return client;
}
