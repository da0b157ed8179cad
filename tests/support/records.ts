import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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

/** The migrations cost more than most tests: each test process runs them once, and copies the file. */
let migrated: Promise<Buffer> | undefined;

async function migratedFile(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
  const path = join(folder, 'ferry.db');
  await openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer }).close();
  const file = await readFile(path);
  await rm(folder, { recursive: true, force: true });
  return file;
}

/** Real records in a temp folder. */
export async function openTestRecords(): Promise<TestRecords> {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
  const path = join(folder, 'ferry.db');
  await writeFile(path, await (migrated ??= migratedFile()));
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
