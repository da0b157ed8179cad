import type { Command } from 'commander';
import type { PageParams } from '../api/requests.js';
import type { PageAnswer } from '../api/schemas.js';
import { wholeNumber } from './durations.js';

export interface PagingOptions {
  readonly limit: number;
  readonly cursor?: string;
}

const LIMIT = 50;

export const addPagingOptions = (command: Command): Command =>
  command
    .option('--limit <count>', 'rows of the page, at most 500', wholeNumber(1), LIMIT)
    .option('--cursor <cursor>', 'the next page, as the page before named it');

export const pageOf = ({ limit, cursor }: PagingOptions): PageParams =>
  cursor === undefined ? { limit } : { limit, cursor };

/** The text of a page, with how to see the next one. */
export function pageText<T>(
  { items, nextCursor }: PageAnswer<T>,
  { none, text }: { readonly none: string; readonly text: (items: readonly T[]) => string },
): string {
  if (items.length === 0) return none;
  return nextCursor === null ? text(items) : `${text(items)}\n\nMore: add --cursor ${nextCursor}`;
}
