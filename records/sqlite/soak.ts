import { eq, sql } from 'drizzle-orm';
import { confirmed } from '../../domain/device-update.js';
import type { OpenDeviceUpdate, ReportedFailure } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdateFinder, deviceUpdateStore } from './device-update-rows.js';
import { deviceUpdates } from './schema.js';
import type { WriteContext } from './write-queue.js';

/** The time of the oldest news that the engine has not heard. */
export const withNews = (atMs: number) => ({ newsAtMs: sql`coalesce(${deviceUpdates.newsAtMs}, ${atMs})` });

/**
 * Notes what a version report means for the device's update: the target version is its success, or begins its soak
 * time, and another version within that is a fall-back. Runs within a write; the run is told afterwards, or finds the
 * note when it looks.
 *
 * @returns a function that answers whether anything was noted
 */
export function versionNotes(connection: Connection) {
  const { db } = connection;
  const find = deviceUpdateFinder(connection);
  const store = deviceUpdateStore(connection);

  return (
    { record, firmware, policy, reportedFailure, targetHeardAtMs }: OpenDeviceUpdate,
    { version, atMs }: { readonly version: string; readonly atMs: number },
    context: WriteContext,
  ): boolean => {
    const { id, taskId, deviceName, targetReportedAtMs } = record;
    if (version === firmware.version) {
      if (targetHeardAtMs !== null) return false;
      db.update(deviceUpdates)
        .set({ targetHeardAtMs: atMs, ...withNews(atMs) })
        .where(eq(deviceUpdates.id, id))
        .run();
      const soaking = policy.soakMs > 0 && targetReportedAtMs === null ? find.row(taskId, deviceName) : undefined;
      if (soaking) store(soaking, confirmed(soaking, atMs, policy.soakMs), context);
      return true;
    }
    if (policy.soakMs === 0 || targetReportedAtMs === null || reportedFailure !== null) return false;
    const failure: ReportedFailure = { cause: 'fell-back', description: `It runs ${version}.`, atMs };
    db.update(deviceUpdates)
      .set({ reportedFailure: failure, ...withNews(atMs), change: context.nextChange() })
      .where(eq(deviceUpdates.id, id))
      .run();
    context.touched(taskId);
    return true;
  };
}
