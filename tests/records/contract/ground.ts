import type { Page, PageRequest, Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';

/** What the tests of the contract stand on, fresh for each. */
export interface Ground {
  readonly records: Records;
  readonly build: Builder;
  /** A second look at the same database, as another process has it. */
  again(): Promise<Records>;
}

/** Everything that a list holds, page by page. */
export async function allPages<T>(list: (page: PageRequest) => Promise<Page<T>>, limit = 3): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await list({ limit, cursor: cursor ?? undefined });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

export const updatesOf = (records: Records, { id }: Pick<TaskRecord, 'id'>) =>
  allPages((page) => records.listDeviceUpdates(id, {}, page), 100);
