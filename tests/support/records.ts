import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Records } from '../../records/records.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';

export interface TestRecords {
  readonly records: Records;
  readonly path: string;
  readonly close: () => Promise<void>;
}

/** Real records in a temp folder. */
export async function openTestRecords(): Promise<TestRecords> {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
  const path = join(folder, 'ferry.db');
  const records = openSqliteRecords({ path, synchronous: 'normal' });
  return {
    records,
    path,
    close: async () => {
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
