import { sql, type Column, type SQL } from 'drizzle-orm';
import { invalidField } from '../../domain/errors.js';
import type { Page, PageRequest } from '../records.js';
import type { Bound, Given } from './prepared.js';

/** The last row's sort key: the next page begins behind it, whatever was inserted meanwhile. */
export type CursorKey = readonly (string | number)[];

/**
 * @returns the key of the row that the page before ended with
 * @throws FerryError `invalid-request` for anything that `pageOf` did not write
 */
export function readCursor(cursor: string | undefined, shape: readonly ('string' | 'number')[]): CursorKey | undefined {
  if (cursor === undefined) return undefined;
  const key = parse(cursor);
  const fits = Array.isArray(key) && key.length === shape.length && key.every((part, i) => typeof part === shape[i]);
  if (!fits) throw invalidField('cursor', 'is not a cursor of this list; take it from nextCursor of the page before');
  return key as CursorKey;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

/**
 * What comes behind the cursor in a list by age, newest first. Compared as a row value: only so does SQLite seek the
 * place in an index, however deep the page, instead of reading every row before it.
 */
export const behind = ([age, id]: readonly [Column, Column], given: Given): SQL | undefined =>
  given('cursor', (cursor) => sql`(${age}, ${id}) < (${cursor}, ${sql.placeholder('cursorId')})`);

/** What a page's placeholders are bound to: `limit`, and with a cursor `cursor` and, by age, `cursorId`. */
export const boundPage = (cursor: CursorKey | undefined, { limit }: PageRequest): Bound => ({
  cursor: cursor?.[0],
  cursorId: cursor?.[1],
  limit: limit + 1,
});

/** As many rows as a page has, and one to see whether there are more. */
export const PAGE_LIMIT = sql.placeholder('limit');

/** @param rows one more than the page holds, if there are more */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  { limit }: PageRequest,
  { key, item }: { readonly key: (row: Row) => CursorKey; readonly item: (row: Row) => Item },
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: shown.map(item),
    nextCursor: more ? Buffer.from(JSON.stringify(key(last))).toString('base64url') : null,
  };
}
