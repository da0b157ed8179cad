import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { DeviceUpdateState } from '../../domain/device-update.js';
import { SEARCH_ATTRIBUTES } from '../../domain/ids.js';
import type { Records } from '../../records/records.js';
import { finalStates, type ListedHistory } from '../replay/replay-history.js';
import { parentStory, rebuiltTask, type DeviceRun, type TaskParts } from './task-story.js';

export interface RebuildDeps {
  readonly client: Client;
  readonly records: Pick<Records, 'importTask' | 'beginEra'>;
  /** Told after each task. */
  readonly onTask: (done: number, total: number) => void;
}

export interface Rebuilt {
  readonly tasks: number;
  readonly deviceUpdates: number;
  /** Devices of shards that never began: no history names them. */
  readonly missingDevices: number;
  /** Tasks of the first release, whose histories don't tell their firmware's size and digests. */
  readonly tasksWithoutOrigin: number;
  /** Device updates whose histories today's workflows don't replay: only their ends are known. */
  readonly mismatches: readonly string[];
}

const TASK_ID = defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskId, SearchAttributeType.KEYWORD);
const DEVICE_NAME = defineSearchAttributeKey(SEARCH_ATTRIBUTES.deviceName, SearchAttributeType.KEYWORD);

/** The runs of one task, as the engine lists them. */
interface TaskRuns {
  task?: WorkflowExecutionInfo;
  readonly shards: WorkflowExecutionInfo[];
  readonly devices: WorkflowExecutionInfo[];
}

/**
 * Writes the records anew from the histories that the engine still has: the runs are the truth, the records are their
 * projection. Tasks in the order of their start, so that re-initiations and firmware find what came before them.
 */
export async function rebuildRecords({ client, records, onTask }: RebuildDeps): Promise<Rebuilt> {
  // Numbers that the lost records have given out are given to nothing else.
  await records.beginEra(Date.now());
  const runs = await runsByTask(client);
  const tasks = Array.from(runs.values()).filter((of) => of.task !== undefined);
  tasks.sort((a, b) => Number(a.task?.startTime) - Number(b.task?.startTime));
  let [deviceUpdates, missingDevices, tasksWithoutOrigin, done] = [0, 0, 0, 0];
  const mismatches: string[] = [];
  for (const of of tasks) {
    const { snapshot, missingDevices: missing, hasOrigin } = rebuiltTask(await partsOf(client, of, mismatches));
    await records.importTask(snapshot);
    deviceUpdates += snapshot.deviceUpdates.length;
    missingDevices += missing;
    if (!hasOrigin) tasksWithoutOrigin++;
    onTask(++done, tasks.length);
  }
  return { tasks: tasks.length, deviceUpdates, missingDevices, tasksWithoutOrigin, mismatches };
}

async function runsByTask(client: Client): Promise<Map<string, TaskRuns>> {
  const byTask = new Map<string, TaskRuns>();
  const query = "WorkflowType IN ('verification', 'batchUpdate', 'shard', 'deviceUpdate')";
  for await (const run of client.workflow.list({ query })) {
    const taskId = run.typedSearchAttributes.get(TASK_ID) ?? '';
    const of = byTask.get(taskId) ?? { shards: [], devices: [] };
    byTask.set(taskId, of);
    if (run.type === 'shard') of.shards.push(run);
    else if (run.type === 'deviceUpdate') {
      // One that goes on under a new run has handed its state on to that.
      if (run.status.name !== 'CONTINUED_AS_NEW') of.devices.push(run);
    } else of.task = run;
  }
  return byTask;
}

async function partsOf(client: Client, { task, shards, devices }: TaskRuns, mismatches: string[]): Promise<TaskParts> {
  if (!task) throw new Error('A task has a run');
  const history = await historyOf(client, task);
  const parents =
    task.type === 'verification' ? [history] : await Promise.all(shards.map((run) => historyOf(client, run)));
  const deviceRuns = new Map<string, DeviceRun>();
  const names = new Map(devices.map((run) => [run.runId, run.typedSearchAttributes.get(DEVICE_NAME) ?? '']));
  const histories = async function* (): AsyncGenerator<ListedHistory> {
    for (const run of devices) yield { workflowId: run.workflowId, history: await historyOf(client, run) };
  };
  for await (const { runId, state, mismatch } of finalStates(histories())) {
    const name = names.get(runId) ?? '';
    if (mismatch !== null) mismatches.push(`${name} in the run ${runId}: ${mismatch}`);
    deviceRuns.set(name, { runId, state: state && factsOf(state) });
  }
  const status = task.status.name;
  return {
    runId: task.runId,
    status: status === 'RUNNING' || status === 'COMPLETED' ? status : 'OTHER',
    history,
    parents: parents.map(parentStory),
    deviceRuns,
  };
}

const historyOf = (client: Client, { workflowId, runId }: WorkflowExecutionInfo) =>
  client.workflow.getHandle(workflowId, runId).fetchHistory();

/** The view without what it waits for, which is computed anew. */
function factsOf({ waitingFor: _waitingFor, ...state }: DeviceUpdateState & { readonly waitingFor: unknown }) {
  return state;
}
