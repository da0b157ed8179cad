import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DoctorReport } from '../../api/deps.js';
import type { FirmwareStore } from '../../firmware/store.js';
import type { Records } from '../../records/records.js';
import { examineBookkeeping } from './bookkeeping.js';
import type { Difference } from './difference.js';
import { examineFiles } from './files.js';
import { examineOpenRecords, examineOpenRuns, examineOpenTasks, type RunDeps } from './runs.js';

export interface DoctorDeps extends RunDeps {
  readonly records: Records;
  readonly store: FirmwareStore;
  readonly log: Pick<Logger, 'warn'>;
  /** How often `watch` looks; 0: never. */
  readonly watchMs: number;
}

/** How long a run that has recorded its end may take to close. */
const CLOSING_MS = 2_000;

/** Compares records, runs, claims and files of a running service. Whatever moves meanwhile is looked at twice. */
export function createDoctor(deps: DoctorDeps) {
  const { records, store, now, log, watchMs } = deps;
  let watchedAtMs = -Infinity;

  return {
    /** @param fix repairs what it finds, as far as it can */
    async examine(fix: boolean): Promise<DoctorReport> {
      const pause = () => sleep(CLOSING_MS);
      const open = await examineOpenRecords(deps, pause);
      const runs = await examineOpenRuns(deps, pause);
      const files = await examineFiles(records, store, now);
      const bookkeeping = await examineBookkeeping(records, now);
      const found = [...open.differences, ...runs.differences, ...bookkeeping, ...files.differences];
      const differences: DoctorReport['differences'] = [];
      for (const difference of found) differences.push(await reported(deps, difference, fix));
      return {
        examined: {
          openTasks: open.examined,
          openDeviceUpdates: open.deviceUpdates,
          openRuns: runs.examined,
          files: files.examined,
        },
        differences,
      };
    },

    /**
     * A job of the reconciler: an open record never outlives its run without anybody's hand. It asks the engine one
     * question for each open task.
     */
    async watch(): Promise<void> {
      if (watchMs === 0 || performance.now() - watchedAtMs < watchMs) return;
      watchedAtMs = performance.now();
      for (const difference of await examineOpenTasks(deps)) {
        const { kind, subject } = difference;
        const { fixed } = await reported(deps, difference, true);
        log.warn({ kind, subject, fixed }, difference.sentence);
      }
    },
  };
}

/** One that can't be repaired, whatever the reason, keeps neither the others from it nor the report from being told. */
async function reported({ log }: Pick<DoctorDeps, 'log'>, { fix, remedy, ...difference }: Difference, wanted: boolean) {
  const told = (fixed: boolean, text: string) => ({ ...difference, remedy: text, fixable: fix !== undefined, fixed });
  const { would, did } = typeof remedy === 'string' ? { would: remedy, did: remedy } : remedy;
  if (!wanted || !fix) return told(false, would);
  try {
    if (await fix()) return told(true, did);
    return told(false, typeof remedy === 'string' ? would : `${would} That was not possible now; examine it again.`);
  } catch (error) {
    log.warn({ kind: difference.kind, subject: difference.subject, err: error }, 'a difference could not be repaired');
    return told(false, `${would} That has failed; the log of the service says why.`);
  }
}
