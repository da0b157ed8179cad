import { useMutation, type UseMutationResult } from '@tanstack/react-query';
import { useState } from 'react';
import { OneRequest } from './one-request.js';

interface Options<Answer, Input> {
  /** What the request is about beside its input, such as a task: about another one, it is another request. */
  readonly about?: string;
  readonly mutationFn: (input: Input) => Promise<Answer>;
  readonly onSuccess?: (answer: Answer) => unknown;
}

/** A request that waits keeps its own options, since the page may show something else by the time it is sent. */
interface Asked<Answer, Input> extends Options<Answer, Input> {
  readonly input: Input;
}

/**
 * As `useMutation`, but the same request is not sent again while it is under way: the second click of a double click comes
 * before the button can be drawn as disabled. A different request is sent after it.
 */
export function useOneAtATime<Answer, Input>(
  options: Options<Answer, Input>,
): Pick<UseMutationResult<Answer>, 'data' | 'error' | 'isPending' | 'reset'> & {
  readonly variables: Input | undefined;
  readonly mutate: (input: Input) => void;
  readonly mutateAsync: (input: Input) => Promise<Answer>;
} {
  const { mutateAsync: send, variables, data, error, isPending, reset } = useMutation({
    mutationFn: ({ mutationFn, input }: Asked<Answer, Input>) => mutationFn(input),
    onSuccess: (answer, { onSuccess }) => onSuccess?.(answer),
  });
  const [requests] = useState(() => new OneRequest<Answer>());
  const mutateAsync = (input: Input) => requests.ask([options.about, input], () => send({ ...options, input }));
  // A failure is in `error`.
  const mutate = (input: Input) => void mutateAsync(input).catch(() => undefined);
  return { data, error, isPending, variables: variables?.input, reset, mutate, mutateAsync };
}
