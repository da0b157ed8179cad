import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';

export const HISTORIES_FOLDER = join(import.meta.dirname, 'histories');

/** A saved history: `<released shape>/<workflow type>-<story>.json`, never edited once released. */
export interface SavedHistory {
  readonly name: string;
  readonly history: ReturnType<typeof historyFromJSON>;
}

export async function loadHistories(): Promise<SavedHistory[]> {
  const names = (await readdir(HISTORIES_FOLDER, { recursive: true })).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(
    names.map(async (name) => ({
      name,
      history: historyFromJSON(JSON.parse(await readFile(join(HISTORIES_FOLDER, name), 'utf8'))),
    })),
  );
}
