import { CancelledFailure } from '@temporalio/common';
import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import { activities } from './proxies.js';
import type { OutcomeCounts, TaskInput } from './task-input.js';

/**
 * The frame of every task: its record begins, the work is done, its record ends. The work must resolve also when the
 * run is cancelled, once all of its device updates have ended.
 */
export async function runTask(input: TaskInput, work: () => Promise<OutcomeCounts>): Promise<OutcomeCounts> {
  await CancellationScope.nonCancellable(() => activities.beginTask(input.taskId, workflowInfo().runId, Date.now()));
  const counts = await work();
  const isCancelled = CancellationScope.current().consideredCancelled;
  await CancellationScope.nonCancellable(() =>
    activities.endTask(input.taskId, isCancelled ? 'cancelled' : 'completed', Date.now()),
  );
  if (isCancelled) throw new CancelledFailure('An operator cancelled the task');
  return counts;
}

/** Devices of one slice of the task. */
export const loadDevices = (input: TaskInput, shard: number) =>
  CancellationScope.nonCancellable(() =>
    activities.loadShard(input.taskId, shard * input.shardDevices, (shard + 1) * input.shardDevices),
  );
