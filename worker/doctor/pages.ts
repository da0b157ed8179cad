import { setImmediate } from 'node:timers/promises';
import type { Page, PageRequest } from '../../records/records.js';

const PAGE = 500;

/** Every item of a paged list of the records. */
export async function* eachOf<T>(list: (page: PageRequest) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    // Reading is synchronous: others have their turn between the pages.
    await setImmediate();
    const page = await list({ limit: PAGE, cursor });
    yield* page.items;
    // The records answer without a pause: everything else has its turn between two pages.
    await setImmediate();
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
