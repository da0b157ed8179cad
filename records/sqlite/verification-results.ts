import { eq, sql } from 'drizzle-orm';
import type { TaskRecord, VerificationResult } from '../records.js';
import type { Connection } from './connection.js';
import { firmware, tasks } from './schema.js';

/**
 * Remembers at the firmware how its verification has ended. The firmware keeps this for itself, since the task may be
 * forgotten long before the firmware is.
 *
 * @param task a verification that has just completed, with its final counts
 */
export function noteVerification({ db }: Connection, task: TaskRecord): void {
  const { firmware: used, endedAtMs } = task;
  if (endedAtMs === null) return;
  const successes = sql`(SELECT count(DISTINCT u.device_name) FROM tasks t JOIN device_updates u ON u.task_id = t.id
    WHERE t.firmware_id = ${used.id} AND t.kind = 'verification' AND u.outcome = 'succeeded')`;
  const result = JSON.stringify(resultOf(task, endedAtMs));
  db.update(firmware)
    .set({
      // An import brings verifications in any order.
      lastVerification: sql`CASE WHEN coalesce(json_extract(${firmware.lastVerification}, '$.endedAtMs'), 0) <= ${endedAtMs}
        THEN ${result} ELSE ${firmware.lastVerification} END`,
      verificationSuccesses: sql`max(${firmware.verificationSuccesses}, ${successes})`,
    })
    .where(eq(firmware.id, used.id))
    .run();
}

const resultOf = ({ id, status, counts }: TaskRecord, endedAtMs: number): VerificationResult => {
  const { succeeded, failed, cancelled, total } = counts;
  return { taskId: id, status, succeeded, failed, cancelled, total, endedAtMs };
};

/** Reads a firmware's last verification: a device update that ended after its task is counted as long as the task is there. */
export function verificationReader({ db }: Pick<Connection, 'db'>) {
  const counts = db
    .select({ succeeded: tasks.succeeded, failed: tasks.failed, cancelled: tasks.cancelled, total: tasks.total })
    .from(tasks)
    .where(eq(tasks.id, sql.placeholder('id')))
    .prepare();
  return (noted: VerificationResult | null): VerificationResult | null =>
    noted && { ...noted, ...counts.get({ id: noted.taskId }) };
}
