import {
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { shardWorkflowId } from '../domain/ids.js';
import { expectApproval } from './approval.js';
import { startCancellable } from './cancellable-start.js';
import { describeOutcomes } from './descriptions.js';
import { CHILD_POLICIES } from './device-runs.js';
import { shardStartedSignal } from './messages.js';
import type { shard } from './shard.js';
import { tellStory } from './story.js';
import {
  NO_OUTCOMES,
  searchAttributes,
  type OutcomeCounts,
  type ShardInput,
  type TaskInput,
  type TaskResult,
} from './task-input.js';
import { runTask } from './task-run.js';

/**
 * Updates all devices of a task, in shards. The next shard begins with the last start of the one before, so that the
 * pace of starts holds for the whole batch and has no gap.
 */
export async function batchUpdate(input: TaskInput): Promise<TaskResult> {
  /** Shards that hold up the next one no longer: all their runs' starts are asked for, or they have ended. */
  const passed = new Set<number>();
  setHandler(shardStartedSignal, (index) => void passed.add(index));
  return runTask(input, runShards, expectApproval(input));

  async function runShards(): Promise<OutcomeCounts> {
    const shards = Math.ceil(input.devicesTotal / input.shardDevices);
    let counts = NO_OUTCOMES;
    const ends: Promise<void>[] = [];
    const add = (index: number, ended: OutcomeCounts) => {
      passed.add(index);
      counts = sum(counts, ended);
      setCurrentDetails(describeOutcomes(counts, input.devicesTotal));
      tellStory('outcomes', counts);
    };
    try {
      for (let index = 0; index < shards; index++) {
        const shardRun = await startShard(input, index);
        ends.push(followShard(shardRun).then((ended) => add(index, ended)));
        await condition(() => passed.has(index));
      }
    } catch (error) {
      // Cancelled: shards not started stay so; their devices are cancelled by the task's end.
      if (!isCancellation(error)) throw error;
    }
    await CancellationScope.nonCancellable(() => Promise.all(ends));
    return counts;
  }
}

const startShard = (input: TaskInput, index: number): Promise<ChildWorkflowHandle<typeof shard>> =>
  startCancellable(() =>
    startChild<typeof shard>('shard', {
      workflowId: shardWorkflowId(input.taskId, index),
      args: [shardInput(input, index)],
      typedSearchAttributes: searchAttributes(input),
      staticSummary: `Shard ${index} of batch update ${input.taskId}`,
      ...CHILD_POLICIES,
    }),
  );

/** Origin and approval stay in the batch's own history. */
function shardInput({ origin, approval, ...input }: TaskInput, index: number): ShardInput {
  return { ...input, shard: index, overlapsNext: true };
}

/** A shard that was cancelled or terminated has no counts to give: its devices' runs record their own ends. */
async function followShard(handle: ChildWorkflowHandle<typeof shard>): Promise<OutcomeCounts> {
  try {
    return await handle.result();
  } catch {
    return NO_OUTCOMES;
  }
}

const sum = (a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts => ({
  succeeded: a.succeeded + b.succeeded,
  failed: a.failed + b.failed,
  cancelled: a.cancelled + b.cancelled,
});
