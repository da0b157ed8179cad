import { useCallback } from 'react';
import { useSearchParams } from 'react-router';

/**
 * The state of a page, kept in its URL so that a link shows the same: filters, tabs, open dialogs.
 *
 * @returns the value of a name (undefined if it is not set), and what sets some of them, undefined or '' to unset
 */
export function useUrlState() {
  const [params, setParams] = useSearchParams();
  const get = (name: string): string | undefined => params.get(name) ?? undefined;
  const set = useCallback(
    (changes: Readonly<Record<string, string | undefined>>, options: { readonly push?: boolean } = {}) => {
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          for (const [name, value] of Object.entries(changes)) {
            if (value === undefined || value === '') next.delete(name);
            else next.set(name, value);
          }
          // A new filter begins at the first page.
          if (!('after' in changes)) next.delete('after');
          return next;
        },
        { replace: options.push !== true },
      );
    },
    [setParams],
  );
  return [get, set] as const;
}
