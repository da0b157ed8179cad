import type { Approval, PauseCause, TaskStatus } from './update-task.js';

/** What decides whether anything of a task may go out. */
export interface GateFacts {
  readonly status: TaskStatus;
  readonly pausedCause: PauseCause | null;
  readonly needsApproval: boolean;
  readonly approval: Pick<Approval, 'decision'> | null;
  readonly cancelRequestedAtMs: number | null;
  /** An operator ends the verification early. */
  readonly endRequestedAtMs: number | null;
}

/**
 * Whether anything of a task may go out to its devices now, and why not. The first three are closed for good; the
 * others may open.
 */
export type TaskGate = 'cancelled' | 'ended' | 'rejected' | 'awaiting-approval' | 'paused' | 'open';

/**
 * Answers from the task's row alone, so that it holds from the commit of an operator's request on, whatever the engine
 * has been told. A task whose run has not begun is open: after a rebuild of the records its devices' runs may be ahead.
 */
export function taskGate(task: GateFacts): TaskGate {
  const { status, needsApproval, approval } = task;
  if (status === 'cancelled' || task.cancelRequestedAtMs !== null) return 'cancelled';
  if (status === 'completed' || task.endRequestedAtMs !== null) return 'ended';
  if (status === 'rejected' || approval?.decision === 'rejected') return 'rejected';
  if (needsApproval && approval === null) return 'awaiting-approval';
  return status === 'paused' ? 'paused' : 'open';
}

/** The task is being stopped, or is over: it sends nothing any more, and holds no source version. */
export const isStopped = (task: GateFacts): boolean => ['cancelled', 'ended', 'rejected'].includes(taskGate(task));
