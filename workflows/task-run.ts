import { CancelledFailure } from '@temporalio/common';
import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { ApprovalEnd } from './approval.js';
import { activities } from './proxies.js';
import { NO_OUTCOMES, type OutcomeCounts, type TaskInput, type TaskResult } from './task-input.js';

/**
 * The frame of every task: its record begins, the work is done, its record ends. The work must resolve also when the
 * run is cancelled, once all of its device updates have ended.
 */
export async function runTask(
  input: TaskInput,
  work: () => Promise<OutcomeCounts>,
  approval?: () => Promise<ApprovalEnd>,
): Promise<TaskResult> {
  await begin(input);
  const decision = await approval?.();
  if (decision === 'rejected') {
    await CancellationScope.nonCancellable(() => activities.endTask(input.taskId, 'rejected', Date.now()));
    return { ...NO_OUTCOMES, rejected: true };
  }
  if (decision === 'approved') await begin(input);
  const counts = decision === 'cancelled' ? NO_OUTCOMES : await work();
  const isCancelled = CancellationScope.current().consideredCancelled;
  await CancellationScope.nonCancellable(() =>
    activities.endTask(input.taskId, isCancelled ? 'cancelled' : 'completed', Date.now()),
  );
  if (isCancelled) throw new CancelledFailure('An operator cancelled the task');
  return counts;
}

/** Repeatable: the second time, the record finds its approval. */
const begin = (input: TaskInput): Promise<void> =>
  CancellationScope.nonCancellable(() => activities.beginTask(input.taskId, workflowInfo().runId, Date.now()));

/** A slice of the task's devices: from one place to another (excluded). */
export const sliceOf = ({ shardDevices }: TaskInput, shard: number): readonly [number, number] => [
  shard * shardDevices,
  (shard + 1) * shardDevices,
];

/** Devices of one slice of the task. */
export const loadDevices = (input: TaskInput, shard: number) =>
  CancellationScope.nonCancellable(() => activities.loadShard(input.taskId, ...sliceOf(input, shard)));
