import { WorkflowNotFoundError, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { describeDeviceRun } from '../../api/device-run.js';
import { FailureCause } from '../../domain/causes.js';
import {
  cancelled,
  failed,
  isOpen,
  succeeded,
  terminated,
  type DeviceUpdateState,
} from '../../domain/device-update.js';
import { SEARCH_ATTRIBUTES, shardWorkflowId, type DeviceKey } from '../../domain/ids.js';
import { shardDevices } from '../../domain/policy.js';
import { isTaskOpen, OPEN_TASK_STATUSES } from '../../domain/update-task.js';
import { endTask } from '../../records/cancel-waiting.js';
import type { DeviceUpdateRecord, Records, TaskRecord } from '../../records/records.js';
import type { TerminatedByEngine } from '../../activities/activities.js';
import type { DeviceUpdateResult } from '../../workflows/device-update.js';
import type { Difference, Findings } from './difference.js';
import { eachOf } from './pages.js';

export interface RunDeps {
  readonly records: Pick<
    Records,
    | 'endedTasksWithOpenUpdates'
    | 'getDeviceUpdate'
    | 'getTask'
    | 'listDeviceUpdates'
    | 'listTasks'
    | 'recordDeviceUpdate'
    | 'endUnbegun'
    | 'cancelWaiting'
    | 'taskEnded'
    | 'tellAgain'
    | 'undeliveredTask'
  >;
  readonly client: Pick<Client, 'workflow'>;
  readonly terminatedByEngine: TerminatedByEngine;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** How a run stands; `unknown` to the engine when it was never started or is older than the retention. */
type RunStatus = WorkflowExecutionInfo['status']['name'] | 'UNKNOWN';

const OPEN_UPDATES = ['pending', 'notified', 'upgrading'] as const;
const RUN_TYPES = "WorkflowType IN ('verification', 'batchUpdate', 'shard', 'deviceUpdate')";

/**
 * Every open task and device update against its run.
 *
 * @param pause for what is being started
 */
export async function examineOpenRecords(
  deps: RunDeps,
  pause: () => Promise<void>,
): Promise<Findings & { readonly deviceUpdates: number }> {
  const differences: Difference[] = [];
  const forgotten: DeviceUpdateRecord[] = [];
  const shards = new ShardsOf(deps.client);
  let [examined, deviceUpdates] = [0, 0];
  for await (const task of openTasks(deps)) {
    examined++;
    const found = await examineTask(deps, task);
    const running = await runningDeviceRuns(deps, task.id);
    for await (const update of openUpdates(deps, task.id)) {
      if (update.runId === null) {
        if (!found && (await shards.hasClosed(task, update.ordinal))) forgotten.push(update);
        continue;
      }
      deviceUpdates++;
      // Visibility may lag: whoever is not in it is asked for by name.
      if (running.has(update.runId)) continue;
      const difference = await examineDeviceUpdate(deps, update, found?.kind === 'task-without-run');
      if (difference) differences.push(difference);
    }
    // Last, so that the repair ends the devices before their task.
    if (found) differences.push(found);
  }
  for await (const difference of examineLeftOpen(deps)) differences.push(difference);
  if (forgotten.length > 0) {
    // A shard that broke is started once more by its batch, and one that breaks again has its devices ended by it.
    await pause();
    for (const update of forgotten) {
      if (await isForgotten(deps, update)) differences.push(forgottenUpdate(deps, update));
    }
  }
  return { examined, deviceUpdates, differences };
}

/** The shards' runs of batches, each asked for once. */
class ShardsOf {
  readonly #closed = new Map<string, Promise<boolean>>();

  constructor(private readonly client: RunDeps['client']) {}

  /** Whether the shard that has a place of the task was begun and has closed; one whose turn has not come has not. */
  hasClosed({ id, kind, counts }: TaskRecord, ordinal: number): Promise<boolean> {
    if (kind !== 'batch') return Promise.resolve(false);
    const workflowId = shardWorkflowId(id, Math.floor(ordinal / shardDevices(counts.total)));
    const known = this.#closed.get(workflowId);
    if (known) return known;
    const closed = statusOf(this.client, workflowId).then((status) => status !== 'RUNNING' && status !== 'UNKNOWN');
    this.#closed.set(workflowId, closed);
    return closed;
  }
}

/** Its batch goes on, and nobody starts it any more: its shard has closed, and it has no run. */
async function isForgotten({ records, client }: RunDeps, update: DeviceUpdateRecord): Promise<boolean> {
  const { taskId, deviceName, ordinal } = update;
  const task = await records.getTask(taskId);
  if (!task || !isTaskOpen(task.status) || (await statusOf(client, task.workflowId)) !== 'RUNNING') return false;
  if (!(await new ShardsOf(client).hasClosed(task, ordinal))) return false;
  if ((await runOf(client, update)).status === 'RUNNING') return false;
  const record = await records.getDeviceUpdate(taskId, deviceName);
  return record !== undefined && isOpen(record.status) && record.runId === null;
}

const forgottenUpdate = (deps: RunDeps, update: DeviceUpdateRecord): Difference => ({
  kind: 'device-update-forgotten',
  subject: `${update.deviceName} in task ${update.taskId}`,
  sentence: 'Its update has not begun, and the run of its shard, which would have begun it, has closed.',
  remedy: {
    would: 'A repair ends it as failed, so that it can be re-initiated.',
    did: 'It was ended as failed, so that it can be re-initiated.',
  },
  fix: async () => {
    if (!(await isForgotten(deps, update))) return false;
    const failure = failed(update, 'update-failed', deps.now(), 'The run of its shard closed before it had begun.');
    const { status } = await deps.records.endUnbegun(update.taskId, update, failure);
    return !isOpen(status);
  },
});

/** The same for tasks whose runs are closed or gone: cheap enough to be done all the time. */
export async function examineOpenTasks(deps: RunDeps): Promise<Difference[]> {
  const differences: Difference[] = [];
  for await (const task of openTasks(deps)) {
    const found = await examineTask(deps, task);
    if (!found) continue;
    if (found.kind === 'task-run-closed') {
      for await (const difference of examineBegunUpdates(deps, task.id)) differences.push(difference);
    }
    differences.push(found);
  }
  for await (const difference of examineLeftOpen(deps)) differences.push(difference);
  return differences;
}

/** What an ended task has left open would take the reports of its device's next update. */
async function* examineLeftOpen(deps: RunDeps): AsyncGenerator<Difference> {
  for (const taskId of await deps.records.endedTasksWithOpenUpdates()) yield* examineBegunUpdates(deps, taskId);
}

async function* examineBegunUpdates(deps: RunDeps, taskId: string): AsyncGenerator<Difference> {
  for await (const update of begunUpdates(deps, taskId)) {
    const difference = await examineDeviceUpdate(deps, update, false);
    if (difference) yield difference;
  }
}

async function examineTask(deps: RunDeps, { id, workflowId }: TaskRecord): Promise<Difference | undefined> {
  const { records, client, now } = deps;
  const undelivered = await records.undeliveredTask(id);
  if (undelivered?.start) return undefined; // the outbox starts it
  const status = await statusOf(client, workflowId);
  if (status === 'RUNNING') return undefined;
  const task = await records.getTask(id);
  if (!task || !isTaskOpen(task.status)) return undefined; // it has ended meanwhile
  const subject = `task ${id}`;
  if (status === 'UNKNOWN') {
    return {
      kind: 'task-without-run',
      subject,
      sentence: 'It is open, and the engine knows no run of it.',
      remedy: {
        would: 'A repair starts it again; devices that have not ended go on.',
        did: 'It was started again; devices that have not ended go on.',
      },
      fix: async () => {
        await records.tellAgain(id);
        return true;
      },
    };
  }
  return {
    kind: 'task-run-closed',
    subject,
    sentence: `It is open, and its run has closed (${status.toLowerCase()}).`,
    remedy: {
      would: 'A repair ends it as its run did, and releases its claims.',
      did: 'It was ended as its run did; its claims are released.',
    },
    fix: async () => {
      // Devices whose runs were asked to cancel may take a moment: the task ends after them.
      for await (const update of begunUpdates(deps, id)) {
        if ((await statusOf(client, update.workflowId, update.runId)) === 'RUNNING') return false;
      }
      await endTask(records, id, endOfTask(status, task), now());
      return true;
    },
  };
}

function endOfTask(status: RunStatus, { needsApproval, approval }: TaskRecord): 'completed' | 'cancelled' | 'rejected' {
  if (status !== 'COMPLETED') return 'cancelled';
  return needsApproval && approval?.decision !== 'approved' ? 'rejected' : 'completed';
}

async function examineDeviceUpdate(
  { records, client, now, terminatedByEngine }: RunDeps,
  update: DeviceUpdateRecord,
  isTaskStartedAgain: boolean,
): Promise<Difference | undefined> {
  const { taskId, productKey, deviceName, runId } = update;
  const key: DeviceKey = { productKey, deviceName };
  const run = await runOf(client, update);
  const { status } = run;
  if (status === 'RUNNING' || (status === 'UNKNOWN' && isTaskStartedAgain)) return undefined;
  // A run records its end before it closes: a record that is open now, after its run has closed, stays so.
  const record = await records.getDeviceUpdate(taskId, deviceName);
  if (!record || !isOpen(record.status) || record.runId !== runId) return undefined;
  return {
    kind: 'device-update-run-closed',
    subject: `${deviceName} in task ${taskId}`,
    sentence: `Its update is open, and its run has ${status === 'UNKNOWN' ? 'vanished' : `closed (${status.toLowerCase()})`}.`,
    remedy: { would: 'A repair ends it as its run did.', did: 'It was ended as its run did.' },
    fix: async () => {
      const end = await endOf({ client, terminatedByEngine }, run, record, now());
      await records.recordDeviceUpdate(taskId, key, end, runId);
      return true;
    },
  };
}

/** The latest run of a device update, as the engine knows it. */
interface LatestRun {
  readonly workflowId: string;
  readonly runId: string | null;
  readonly status: RunStatus;
}

async function runOf(client: RunDeps['client'], update: DeviceUpdateRecord): Promise<LatestRun> {
  const { workflowId, runId } = update;
  const known = await describeDeviceRun(client, update);
  return known
    ? { workflowId, runId: known.runId, status: known.status.name }
    : { workflowId, runId, status: 'UNKNOWN' };
}

/** The state that the run would have recorded. */
async function endOf(
  { client, terminatedByEngine }: Pick<RunDeps, 'client' | 'terminatedByEngine'>,
  run: LatestRun,
  state: DeviceUpdateState,
  atMs: number,
): Promise<DeviceUpdateState> {
  if (run.status === 'TERMINATED') return terminated(state, atMs, await terminatedByEngine(run.workflowId, run.runId));
  if (run.status === 'CANCELLED') return cancelled(state, atMs, 'An operator cancelled it.');
  if (run.status === 'UNKNOWN') return failed(state, 'update-failed', atMs, 'Its run has vanished from the engine.');
  const handle = client.workflow.getHandle(run.workflowId, run.runId ?? undefined);
  try {
    const { status, detail } = (await handle.result()) as DeviceUpdateResult;
    return status === 'cancelled' ? cancelled(state, atMs, detail ?? '') : succeeded(state, atMs, detail);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (cause instanceof CancelledFailure) return cancelled(state, atMs, 'An operator cancelled it.');
    if (cause instanceof TerminatedFailure) return terminated(state, atMs, undefined);
    if (cause instanceof ApplicationFailure && isFailureCause(cause.type)) return failed(state, cause.type, atMs);
    const reason = cause instanceof Error ? cause.message : String(error);
    return failed(state, 'update-failed', atMs, `Its run ended unexpectedly: ${reason}`);
  }
}

const isFailureCause = (type: string | null | undefined): type is FailureCause =>
  (Object.values(FailureCause) as string[]).includes(type ?? '');

/** Every open run against its record. */
export async function examineOpenRuns(deps: RunDeps, pause: () => Promise<void>): Promise<Findings> {
  const suspects: WorkflowExecutionInfo[] = [];
  let examined = 0;
  for await (const run of deps.client.workflow.list({ query: `ExecutionStatus = 'Running' AND ${RUN_TYPES}` })) {
    examined++;
    if ((await recordOf(deps, run)) !== 'open') suspects.push(run);
  }
  if (suspects.length === 0) return { examined, differences: [] };
  // A run that has recorded its end is about to close.
  await pause();
  const differences: Difference[] = [];
  for (const run of suspects) {
    if ((await statusOf(deps.client, run.workflowId, run.runId)) !== 'RUNNING') continue;
    const record = await recordOf(deps, run);
    if (record === 'open') continue;
    const handle = deps.client.workflow.getHandle(run.workflowId, run.runId);
    const shared = { subject: run.workflowId };
    differences.push(
      record === 'none'
        ? {
            ...shared,
            kind: 'run-without-record',
            sentence: 'It runs, and there is no record of it.',
            remedy: { would: 'A repair terminates the run.', did: 'The run was terminated.' },
            fix: () => unlessClosed(handle.terminate('Ferry’s doctor: there is no record of it')),
          }
        : {
            ...shared,
            kind: 'run-of-ended-record',
            sentence: 'It runs, and its record has ended.',
            remedy: { would: 'A repair cancels the run.', did: 'The run was cancelled.' },
            fix: () => unlessClosed(handle.cancel()),
          },
    );
  }
  return { examined, differences };
}

async function recordOf({ records }: RunDeps, run: WorkflowExecutionInfo): Promise<'open' | 'ended' | 'none'> {
  const attribute = (name: string): string => {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- typed ones need a key for each; this reads any
    const value = run.searchAttributes[name];
    return String(value?.[0] ?? '');
  };
  const taskId = attribute(SEARCH_ATTRIBUTES.taskId);
  if (run.type === 'deviceUpdate') {
    const record = await records.getDeviceUpdate(taskId, attribute(SEARCH_ATTRIBUTES.deviceName));
    return record ? (isOpen(record.status) ? 'open' : 'ended') : 'none';
  }
  const task = await records.getTask(taskId);
  return task ? (isTaskOpen(task.status) ? 'open' : 'ended') : 'none';
}

async function* openTasks({ records }: RunDeps): AsyncGenerator<TaskRecord> {
  for (const status of OPEN_TASK_STATUSES) yield* eachOf((page) => records.listTasks({ status }, page));
}

async function* openUpdates({ records }: RunDeps, taskId: string): AsyncGenerator<DeviceUpdateRecord> {
  for (const status of OPEN_UPDATES) yield* eachOf((page) => records.listDeviceUpdates(taskId, { status }, page));
}

async function* begunUpdates(deps: RunDeps, taskId: string): AsyncGenerator<DeviceUpdateRecord> {
  for await (const update of openUpdates(deps, taskId)) if (update.runId !== null) yield update;
}

async function runningDeviceRuns({ client }: RunDeps, taskId: string): Promise<ReadonlySet<string>> {
  const running = new Set<string>();
  const query = `ExecutionStatus = 'Running' AND WorkflowType = 'deviceUpdate' AND ${SEARCH_ATTRIBUTES.taskId} = '${taskId}'`;
  for await (const { runId } of client.workflow.list({ query })) running.add(runId);
  return running;
}

async function statusOf(client: RunDeps['client'], workflowId: string, runId?: string | null): Promise<RunStatus> {
  try {
    return (await client.workflow.getHandle(workflowId, runId ?? undefined).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'UNKNOWN';
    throw error;
  }
}

/** One that has closed by itself is as it should be. */
async function unlessClosed(telling: Promise<unknown>): Promise<true> {
  await telling.catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
  return true;
}
