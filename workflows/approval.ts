import { ApplicationFailure } from '@temporalio/common';
import { condition, isCancellation, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { Approval } from '../domain/update-task.js';
import { decideUpdate } from './messages.js';
import type { TaskInput } from './task-input.js';

/** What became of a task that needs a second operator. */
export type ApprovalEnd = 'approved' | 'rejected' | 'cancelled';

/**
 * Waits for a second operator, if the task's input asks for one. To be called before the run's first await: a decision
 * may come with its first task. Nobody's decision within the time counts as a rejection.
 *
 * @returns how to wait; undefined when the task needs no approval
 */
export function expectApproval({ approval }: TaskInput): (() => Promise<ApprovalEnd>) | undefined {
  if (!approval) return undefined;
  let decided: Approval | undefined;
  setHandler(decideUpdate, (decision) => void (decided ??= decision), {
    validator: ({ by, decision }) => {
      if (by === approval.startedBy) throw refused(`${by} has created the task; a second operator must decide`);
      if (decided && decided.decision !== decision) throw refused(`it was ${decided.decision} by ${decided.by}`);
    },
  });
  return async () => {
    setCurrentDetails(`**awaiting approval** of an operator other than ${approval.startedBy ?? 'its creator'}.`);
    try {
      await condition(() => decided !== undefined, approval.timeoutMs);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      return 'cancelled';
    }
    return decided?.decision ?? 'rejected';
  };
}

const refused = (why: string): ApplicationFailure => ApplicationFailure.nonRetryable(`Refused: ${why}.`, 'refused');
