import {
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  isCancellation,
  patched,
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
import { activities } from './proxies.js';
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
import { runTask, sliceOf } from './task-run.js';

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
    const broken: string[] = [];
    const describe = () => setCurrentDetails([describeOutcomes(counts, input.devicesTotal), ...broken].join('\n\n'));
    /** A run of a shard ends otherwise only by somebody's hand, or by a fault; its devices must not be forgotten. */
    const follow = async (index: number, run: ShardRun): Promise<OutcomeCounts> => {
      const ended = await endOf(run);
      if (!(ended instanceof Error)) return ended;
      if (isCancellation(ended) || !patched('starts-a-broken-shard-again')) return NO_OUTCOMES;
      broken.push(`The run of shard ${index} broke and is started again: ${reasonOf(ended)}.`);
      describe();
      const again = await startShard(input, index).then(endOf, asError);
      if (!(again instanceof Error)) return again;
      if (isCancellation(again)) return NO_OUTCOMES;
      broken.push(`The run of shard ${index} broke once more: ${reasonOf(again)}.`);
      describe();
      await endUnbegun(input, index, reasonOf(again));
      return NO_OUTCOMES;
    };
    const add = (index: number, ended: OutcomeCounts) => {
      passed.add(index);
      counts = sum(counts, ended);
      describe();
      tellStory('outcomes', counts);
    };
    try {
      for (let index = 0; index < shards; index++) {
        const shardRun = await startShard(input, index);
        ends.push(follow(index, shardRun).then((ended) => add(index, ended)));
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

type ShardRun = ChildWorkflowHandle<typeof shard>;

const startShard = (input: TaskInput, index: number): Promise<ShardRun> =>
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

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** A shard that was cancelled has no counts to give: its devices' runs record their own ends. */
const endOf = (run: ShardRun): Promise<OutcomeCounts | Error> => run.result().catch(asError);

const reasonOf = (error: Error): string =>
  error instanceof ChildWorkflowFailure && error.cause ? error.cause.message : error.message;

/** Devices of a shard that never began: they fail, so that they can be re-initiated. */
function endUnbegun(input: TaskInput, index: number, why: string): Promise<void> {
  const [fromOrdinal, toOrdinal] = sliceOf(input, index);
  const reason = `The run of its shard broke twice: ${why}.`;
  const broken = { fromOrdinal, toOrdinal, reason, atMs: Date.now() };
  return CancellationScope.nonCancellable(() =>
    activities.endUnbegun({ taskId: input.taskId, productKey: input.productKey }, broken),
  );
}

const sum = (a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts => ({
  succeeded: a.succeeded + b.succeeded,
  failed: a.failed + b.failed,
  cancelled: a.cancelled + b.cancelled,
});
