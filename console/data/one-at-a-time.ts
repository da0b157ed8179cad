import { useMutation, type UseMutationOptions, type UseMutationResult } from '@tanstack/react-query';
import { useCallback, useRef } from 'react';

/**
 * As `useMutation`, but what is asked for while a request is under way is that request: the second click of a double
 * click comes before the button can be drawn as disabled.
 */
export function useOneAtATime<Answer, Input>(
  options: UseMutationOptions<Answer, Error, Input>,
): Pick<UseMutationResult<Answer, Error, Input>, 'data' | 'error' | 'isPending' | 'variables' | 'reset'> & {
  readonly mutate: (input: Input) => void;
  readonly mutateAsync: (input: Input) => Promise<Answer>;
} {
  const { mutateAsync: send, data, error, isPending, variables, reset } = useMutation(options);
  const underWay = useRef<Promise<Answer>>(undefined);
  const mutateAsync = useCallback(
    (input: Input): Promise<Answer> => {
      underWay.current ??= send(input).finally(() => {
        underWay.current = undefined;
      });
      return underWay.current;
    },
    [send],
  );
  // A failure is in `error`.
  const mutate = useCallback((input: Input) => void mutateAsync(input).catch(() => undefined), [mutateAsync]);
  return { data, error, isPending, variables, reset, mutate, mutateAsync };
}
