import { useLocation, useNavigate, useSearchParams } from 'react-router';
import type { PageParams } from '../../api/requests.js';

const SIZE = 50;

/** Cursors of the pages before this one; undefined is the first. */
interface Before {
  readonly before?: readonly (string | null)[];
}

/**
 * The page of a list, by its cursor in the URL (`after`). Lists of the API go forward only; how to go back is kept with
 * the entry in the browser's history.
 */
export function usePaging(size = SIZE) {
  const [params] = useSearchParams();
  const location = useLocation();
  const navigate = useNavigate();
  const cursor = params.get('after');
  const before = (location.state as Before | null)?.before ?? [];

  const goTo = (after: string | null, state: Before) => {
    const next = new URLSearchParams(params);
    if (after === null) next.delete('after');
    else next.set('after', after);
    void navigate({ search: next.toString() }, { state });
  };
  const page: PageParams = cursor === null ? { limit: size } : { limit: size, cursor };
  return {
    /** For the query. */
    page,
    isFirst: cursor === null,
    /** 1 for the first; undefined when the link led into the middle. */
    number: cursor === null ? 1 : before.length > 0 ? before.length + 1 : undefined,
    next: (nextCursor: string) => goTo(nextCursor, { before: [...before, cursor] }),
    previous: () => goTo(before.at(-1) ?? null, { before: before.slice(0, -1) }),
  };
}
export type Paging = ReturnType<typeof usePaging>;
