import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { SignInRequest } from '../../api/requests.js';
import type { SessionAnswer } from '../../api/schemas.js';
import { api, isHeldBack, isSignedOut } from './client.js';
import { keys } from './keys.js';
import { useOneAtATime } from './one-at-a-time.js';

/** Who is signed in; null is nobody. */
export function useSession() {
  const client = useQueryClient();
  return useQuery({
    queryKey: keys.session,
    queryFn: () =>
      api.getSession().catch((error: unknown) => {
        if (isSignedOut(error)) return null;
        // Nothing new is known of the one who is signed in; a visitor gets the sign-in page.
        if (isHeldBack(error)) return client.getQueryData<SessionAnswer | null>(keys.session) ?? null;
        throw error;
      }),
    staleTime: 60_000,
  });
}

export function useSignIn() {
  const client = useQueryClient();
  return useOneAtATime({
    mutationFn: (request: SignInRequest) => api.signIn(request),
    onSuccess: (session) => client.setQueryData(keys.session, session),
  });
}

/** @param leave loads the sign-in page anew: nothing of what was seen stays behind */
export const useSignOut = (leave: () => void) =>
  useOneAtATime({ mutationFn: (_: void) => api.signOut(), onSuccess: leave });
