import { setImmediate } from 'node:timers/promises';
import { stringify } from 'csv-stringify/sync';
import type { PageAnswer } from './schemas.js';

/**
 * A list as CSV, a page at a time as the reader takes it. What a spreadsheet would take for a formula is quoted: cells
 * carry what devices and strangers say.
 *
 * @param pageAfter the page after a cursor; undefined asks for the first
 */
export function csvOf<T>(
  columns: readonly string[],
  pageAfter: (cursor: string | undefined) => Promise<PageAnswer<T>>,
  lineOf: (item: T) => Readonly<Record<string, unknown>>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let cursor: string | undefined;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(stringify([[...columns]])));
    },
    async pull(controller) {
      // Reading is synchronous: others have their turn between the pages.
      await setImmediate();
      const page = await pageAfter(cursor);
      const lines = stringify(page.items.map(lineOf), { columns: [...columns], escape_formulas: true });
      controller.enqueue(encoder.encode(lines));
      if (page.nextCursor === null) controller.close();
      else cursor = page.nextCursor;
    },
  });
}
