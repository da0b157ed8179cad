import { CancelledFailure } from '@temporalio/common';
import { CancellationScope, getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import { runDevices } from './device-runs.js';
import { shardStartedSignal } from './messages.js';
import type { OutcomeCounts, ShardInput } from './task-input.js';
import { loadDevices, sliceOf } from './task-run.js';

/** A slice of a batch: a run per device, so that no single history grows with the fleet [design: workflows]. */
export async function shard(input: ShardInput): Promise<OutcomeCounts> {
  const told = input.overlapsNext ? { lastAsked: tellBatch } : { allConfirmed: tellBatch };
  const devices = await loadDevices(input, input.shard);
  const counts = await runDevices(input, devices, sliceOf(input, input.shard), told);
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('The batch was cancelled');
  return counts;

  /** A batch that has ended meanwhile has no next shard to begin. */
  async function tellBatch(): Promise<void> {
    const batch = workflowInfo().parent;
    if (!batch) return;
    await getExternalWorkflowHandle(batch.workflowId)
      .signal(shardStartedSignal, input.shard)
      .catch(() => undefined);
  }
}
