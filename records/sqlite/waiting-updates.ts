import { isStopped } from '../../domain/task-gate.js';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { taskFinder } from './tasks.js';

/** Device updates that still wait, by which: of which no device was told, or whose runs never began. */
const WAITING = {
  untold: "status = 'pending' AND notifications = 0 AND notified_at_ms IS NULL",
  unbegun: "status = 'pending' AND begun_at_ms IS NULL",
} as const;
const DETAILS = {
  untold: 'An operator cancelled it.',
  unbegun: 'The task ended before its turn came.',
} as const;

/** Ends the waiting device updates of a task piece by piece: all of a large batch at once would hold up every other write. */
export function waitingUpdates(connection: Connection): Pick<Records, 'cancelWaiting' | 'untoldRuns'> {
  const { sqlite, writes } = connection;
  const { existing } = taskFinder(connection);
  const cancelSome = (which: keyof typeof WAITING) =>
    sqlite.prepare<[string, number, number, string, number, number]>(
      `UPDATE device_updates SET status = 'cancelled', detail = ?, ended_at_ms = ?, change = ? + ordinal
       WHERE task_id = ? AND ordinal >= ? AND ordinal < ? AND ${WAITING[which]}`,
    );
  const cancel = { untold: cancelSome('untold'), unbegun: cancelSome('unbegun') };
  const move = sqlite.prepare<[number, number, number, string]>(
    'UPDATE tasks SET pending = pending - ?, cancelled = cancelled + ?, change = ? WHERE id = ?',
  );
  const untold = sqlite.prepare<[string, number, number], { deviceName: string; runId: string }>(
    `SELECT device_name AS deviceName, run_id AS runId FROM device_updates
     WHERE task_id = ? AND ordinal >= ? AND ordinal < ? AND status = 'cancelled' AND notifications = 0
       AND notified_at_ms IS NULL AND run_id IS NOT NULL ORDER BY ordinal`,
  );

  return {
    cancelWaiting: (taskId, { which, fromOrdinal, toOrdinal, atMs }) =>
      writes.run(({ nextChange, nextChanges, touched }) => {
        const task = existing(taskId);
        if (which === 'untold' && !isStopped(task)) return 0;
        // A number for each place, so that a stream of changes can stop between any two rows.
        const first = nextChanges(toOrdinal - fromOrdinal) - fromOrdinal;
        const { changes } = cancel[which].run(DETAILS[which], atMs, first, taskId, fromOrdinal, toOrdinal);
        if (changes === 0) return 0;
        move.run(changes, changes, nextChange(), taskId);
        touched(taskId);
        return changes;
      }),

    untoldRuns: async (taskId, fromOrdinal, toOrdinal) => untold.all(taskId, fromOrdinal, toOrdinal),
  };
}
