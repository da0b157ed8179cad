import { spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBatch } from '../batch/batch.js';
import type { Service } from '../lib/service.js';
import { KEPT_DAYS, writeHistory, type History } from './history.js';

export interface RetentionOptions extends History {
  /** Of the batch. */
  readonly devices: number;
  readonly runs: number;
}

type Figures = Readonly<Record<string, number>>;

const DAY_MS = 24 * 3_600_000;
const MB = 1_024 * 1_024;

/** The same batch on records of 90 days, with the retention job at work all the while, and without it; by turns. */
export async function runRetention({ devices, runs, ...history }: RetentionOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-history-'));
  try {
    const database = join(folder, 'ferry.db');
    await writeHistory(database, history);
    const prepare = async (dataFolder: string) => {
      await copyFile(database, join(dataFolder, 'ferry.db'));
      // What the copy has left to be written would be written while it is measured.
      spawnSync('sync');
    };
    const batch = { devices, reports: 3, prepare };
    const results: Record<'without' | 'with' | 'with ÷ without', Figures[]> = {
      ...{ without: [], with: [], 'with ÷ without': [] },
    };
    for (let n = 0; n < runs; n++) {
      const without = await runBatch({ ...batch, alongside: async (service) => () => figuresOf(service) });
      const forgetting = await runBatch({ ...batch, alongside: forgetOld });
      results.without.push(without);
      results.with.push(forgetting);
      results['with ÷ without'].push({
        'devices/s': forgetting['devices/s'] / without['devices/s'],
        'CPU ms/device': forgetting['CPU ms/device'] / without['CPU ms/device'],
      });
    }
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function forgetOld(service: Service): Promise<() => Promise<Figures>> {
  const due = await service.api.forget(KEPT_DAYS * DAY_MS);
  if (due.deviceUpdates === 0) throw new Error('There is nothing to forget');
  return async () => {
    const figures = await figuresOf(service);
    if (!(figures['rows deleted'] > 0)) throw new Error('Nothing was forgotten during the batch');
    return figures;
  };
}

async function figuresOf({ url, folder }: Service) {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const { size } = await stat(join(folder, 'ferry.db-wal'));
  const rows = Number(/^ferry_forgotten_device_updates_total (\d+)$/m.exec(metrics)?.[1]);
  return { 'rows deleted': rows, 'log MB': size / MB };
}
