import { eq } from 'drizzle-orm';
import type { OpenDeviceUpdate, ReportedFailure } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdates } from './schema.js';
import type { WriteContext } from './write-queue.js';

/**
 * Notes what a version report means for an update with a soak time: the target version begins it, another one after
 * that is a fall-back. Runs within a write; the run is told afterwards, or finds the note when it looks.
 *
 * @returns whether anything was noted
 */
export function noteSoak(
  { db }: Connection,
  { record, firmware, policy, reportedFailure }: OpenDeviceUpdate,
  { version, atMs }: { readonly version: string; readonly atMs: number },
  { nextChange, touched }: WriteContext,
): boolean {
  if (policy.soakMs === 0) return false;
  const { id, taskId, targetReportedAtMs } = record;
  const note = (set: { targetReportedAtMs: number } | { reportedFailure: ReportedFailure }) => {
    db.update(deviceUpdates)
      .set({ ...set, change: nextChange() })
      .where(eq(deviceUpdates.id, id))
      .run();
    touched(taskId);
    return true;
  };
  if (version === firmware.version) return targetReportedAtMs === null && note({ targetReportedAtMs: atMs });
  if (targetReportedAtMs === null || reportedFailure !== null) return false;
  return note({ reportedFailure: { cause: 'fell-back', description: `It runs ${version}.`, atMs } });
}
