import type { Connection } from './connection.js';

/**
 * Whether a verification has tried its firmware: a device of it was notified, or was found to run the firmware. One
 * that was busy, or stayed away, says nothing of it.
 */
export function hasReachedADevice({ sqlite }: Pick<Connection, 'sqlite'>, taskId: string): boolean {
  const reached = sqlite.prepare(
    `SELECT 1 FROM device_updates WHERE task_id = ?
      AND (notifications > 0 OR notified_at_ms IS NOT NULL OR outcome IS 'succeeded') LIMIT 1`,
  );
  return reached.get(taskId) !== undefined;
}
