import type { Outcome } from './device-update.js';
import type { TaskKind } from './ids.js';

/** Where an update task stands. */
export const TaskStatus = {
  PENDING: 'pending', // recorded; its workflow has not begun
  AWAITING_APPROVAL: 'awaiting-approval', // its workflow has begun and waits for a second operator
  RUNNING: 'running',
  PAUSED: 'paused', // nothing new goes out; what is under way goes on
  COMPLETED: 'completed', // every device update has ended, or an operator ended a verification early
  CANCELLED: 'cancelled', // ended by an operator
  REJECTED: 'rejected', // a second operator did not approve it
} as const;
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus];

export const OPEN_TASK_STATUSES: readonly TaskStatus[] = ['pending', 'awaiting-approval', 'running', 'paused'];

export const isTaskOpen = (status: TaskStatus): boolean => OPEN_TASK_STATUSES.includes(status);

/** Why a task is paused. */
export type PauseCause = 'firmware-file-damaged';

/** What a second operator decided of a task that needs it. */
export interface Approval {
  readonly decision: 'approved' | 'rejected';
  readonly by: string;
  readonly remark: string;
  readonly atMs: number;
}

/**
 * Nothing of it goes out before a second operator has decided; one whose cancellation is under way needs no decision.
 *
 * @param cancelRequestedAt in whatever form the caller has it
 */
export const awaitsApproval = (
  task: { readonly needsApproval: boolean; readonly approval: unknown; readonly status: TaskStatus },
  cancelRequestedAt: number | string | null,
): boolean => task.needsApproval && task.approval === null && isTaskOpen(task.status) && cancelRequestedAt === null;

/** A firmware becomes verified when a verification that reached a device ends, whatever the results; it stays so. */
export type FirmwareStatus = 'unverified' | 'verifying' | 'verified';

/** Device updates of a task by where they stand. */
export interface TaskCounts {
  readonly pending: number;
  readonly notified: number;
  readonly upgrading: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly total: number;
}

/** The member of `TaskCounts` in which a device update is counted. */
export function countOf(
  status: 'pending' | 'notified' | 'upgrading' | 'completed' | 'cancelled',
  outcome: Outcome | null,
): Exclude<keyof TaskCounts, 'total'> {
  if (status !== 'completed') return status;
  return outcome === 'succeeded' ? 'succeeded' : 'failed';
}

export type { TaskKind };
