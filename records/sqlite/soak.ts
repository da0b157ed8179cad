import { eq } from 'drizzle-orm';
import { confirmed } from '../../domain/device-update.js';
import type { OpenDeviceUpdate, ReportedFailure } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdateFinder, deviceUpdateStore } from './device-update-rows.js';
import { deviceUpdates } from './schema.js';
import type { WriteContext } from './write-queue.js';

/**
 * Notes what a version report means for an update with a soak time: the target version begins it, another one after
 * that is a fall-back. Runs within a write; the run is told afterwards, or finds the note when it looks.
 *
 * @returns whether anything was noted
 */
export function soakNotes(connection: Connection) {
  const { db } = connection;
  const find = deviceUpdateFinder(connection);
  const store = deviceUpdateStore(connection);

  return (
    { record, firmware, policy, reportedFailure }: OpenDeviceUpdate,
    { version, atMs }: { readonly version: string; readonly atMs: number },
    context: WriteContext,
  ): boolean => {
    if (policy.soakMs === 0) return false;
    const { id, taskId, deviceName, targetReportedAtMs } = record;
    if (version === firmware.version) {
      const row = targetReportedAtMs === null ? find.row(taskId, deviceName) : undefined;
      if (!row) return false;
      store(row, confirmed(row, atMs, policy.soakMs), context);
      return true;
    }
    if (targetReportedAtMs === null || reportedFailure !== null) return false;
    const failure: ReportedFailure = { cause: 'fell-back', description: `It runs ${version}.`, atMs };
    db.update(deviceUpdates)
      .set({ reportedFailure: failure, change: context.nextChange() })
      .where(eq(deviceUpdates.id, id))
      .run();
    context.touched(taskId);
    return true;
  };
}
