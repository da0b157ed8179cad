import { eq, sql } from 'drizzle-orm';
import type { OpenDeviceUpdate, ReportedFailure } from '../records.js';
import type { Connection } from './connection.js';
import { deviceUpdates } from './schema.js';
import type { WriteContext } from './write-queue.js';

/** The time of the oldest news that the engine has not heard. */
export const withNews = (atMs: number) => ({ newsAtMs: sql`coalesce(${deviceUpdates.newsAtMs}, ${atMs})` });

/**
 * Notes what a version report means for the device's update: the target version is its success, or begins its soak
 * time, and another version within that is a fall-back. Runs within a write; the run is told afterwards, or finds the
 * note when it looks.
 *
 * @returns whether anything was noted
 */
export function noteVersion(
  { db }: Connection,
  { record, firmware, policy, reportedFailure, targetHeardAtMs }: OpenDeviceUpdate,
  { version, atMs }: { readonly version: string; readonly atMs: number },
  { nextChange, touched }: WriteContext,
): boolean {
  const { id, taskId, targetReportedAtMs } = record;
  const note = (set: { targetReportedAtMs: number } | { reportedFailure: ReportedFailure }) => {
    db.update(deviceUpdates)
      .set({ ...set, ...withNews(atMs), change: nextChange() })
      .where(eq(deviceUpdates.id, id))
      .run();
    touched(taskId);
    return true;
  };
  if (version === firmware.version) {
    if (targetHeardAtMs !== null) return false;
    const heard = { targetHeardAtMs: atMs, ...withNews(atMs) };
    db.update(deviceUpdates).set(heard).where(eq(deviceUpdates.id, id)).run();
    return policy.soakMs === 0 || targetReportedAtMs !== null || note({ targetReportedAtMs: atMs });
  }
  if (policy.soakMs === 0 || targetReportedAtMs === null || reportedFailure !== null) return false;
  return note({ reportedFailure: { cause: 'fell-back', description: `It runs ${version}.`, atMs } });
}
