import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { SignInRequest } from '../../api/requests.js';
import { api, isSignedOut } from './client.js';
import { keys } from './keys.js';

/** Who is signed in; null is nobody. */
export const useSession = () =>
  useQuery({
    queryKey: keys.session,
    queryFn: () =>
      api.getSession().catch((error: unknown) => {
        if (isSignedOut(error)) return null;
        throw error;
      }),
    staleTime: 60_000,
  });

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: SignInRequest) => api.signIn(request),
    onSuccess: (session) => client.setQueryData(keys.session, session),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.signOut(),
    onSuccess: () => {
      client.setQueryData(keys.session, null);
      // Nothing of what was seen stays behind.
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.session[0] });
    },
  });
}
