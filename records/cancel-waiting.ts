import { isTaskOpen } from '../domain/update-task.js';
import type { Records } from './records.js';

/** Some 10 ms of one transaction: all of a large batch at once would hold up every other write for seconds. */
const PIECE = 1_000;

/** Cancels all waiting device updates of a task that has `total`, piece by piece; repeatable. */
export async function cancelAllWaiting(
  records: Pick<Records, 'cancelWaiting'>,
  task: { readonly id: string; readonly total: number },
  { which, atMs }: { readonly which: 'untold' | 'unbegun'; readonly atMs: number },
): Promise<void> {
  for (let fromOrdinal = 0; fromOrdinal < task.total; fromOrdinal += PIECE) {
    await records.cancelWaiting(task.id, { which, fromOrdinal, toOrdinal: fromOrdinal + PIECE, atMs });
  }
}

/** Ends a task, and before that what it never began, piece by piece; repeatable. */
export async function endTask(
  records: Pick<Records, 'getTask' | 'cancelWaiting' | 'taskEnded'>,
  id: string,
  status: 'completed' | 'cancelled' | 'rejected',
  atMs: number,
): Promise<void> {
  const task = await records.getTask(id);
  // Of a million devices that have all ended, a thousand writes would only look.
  if (task && isTaskOpen(task.status) && task.counts.pending > 0) {
    await cancelAllWaiting(records, { id, total: task.counts.total }, { which: 'unbegun', atMs });
  }
  await records.taskEnded(id, status, atMs);
}
