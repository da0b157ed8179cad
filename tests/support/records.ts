import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSealer, SEALING_KEY_BYTES } from '../../records/sealing.js';
import type { Records } from '../../records/records.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';

/** By a key of this test process. */
export const testSealer = createSealer([randomBytes(SEALING_KEY_BYTES)]);

export interface TestRecords {
  readonly records: Records;
  readonly path: string;
  readonly close: () => Promise<void>;
}

/** Real records in a temp folder. */
export async function openTestRecords(): Promise<TestRecords> {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
  const path = join(folder, 'ferry.db');
  const records = openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer });
  return {
    records,
    path,
    close: async () => {
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
