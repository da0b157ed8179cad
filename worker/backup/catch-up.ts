import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { cancelDeviceRun } from '../../api/device-run.js';
import type { DeviceUpdateSignals } from '../../broker/device-update-signals.js';
import { isOpen, progressOf, type DeviceUpdateStatus } from '../../domain/device-update.js';
import { OPEN_TASK_STATUSES } from '../../domain/update-task.js';
import type { DeviceUpdateRecord, OpenDeviceUpdate, Records, TaskRecord } from '../../records/records.js';
import { failureSignal, progressSignal, versionSignal } from '../../workflows/messages.js';

export interface CatchUpDeps {
  readonly records: Pick<
    Records,
    | 'restorePoint'
    | 'engineCaughtUp'
    | 'changesSince'
    | 'listTasks'
    | 'listDeviceUpdates'
    | 'getDeviceUpdateById'
    | 'getDevice'
    | 'signalled'
  >;
  readonly signals: DeviceUpdateSignals;
  readonly client: Pick<Client, 'workflow' | 'withAbortSignal'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export interface CatchUp {
  /** Tells the restored runs what the records know beyond them; to be done before a worker runs them. */
  tell(): Promise<void>;
  /** Waits, with the worker running, until the runs that were told their end have ended and hold no device any more. */
  finish(): Promise<void>;
  /** False while runs may hold devices whose updates have ended: new runs would find these devices busy. */
  isDone(): boolean;
}

const PAGE = 500;
/** Messages under way at once. */
const AT_ONCE = 32;
/** Ending takes a run some milliseconds; one that had a worker when it was backed up waits some seconds for its return. */
const ENDING_MS = 60_000;

const HEARD_OF: readonly DeviceUpdateStatus[] = ['upgrading', 'notified'];

/**
 * After a restore, the engine is a little older than the records: its backup is taken first. Runs may be open whose
 * device updates have ended in the records, and would hold their devices' workflow ids for a week; others have missed
 * progress, and would notify a device that is in mid-download. Each is told by the messages that it missed, which every
 * run takes any number of times.
 */
export function createCatchUp(deps: CatchUpDeps): CatchUp {
  const { records, log } = deps;
  let ending: EndingRun[] = [];
  let state: 'idle' | 'telling' | 'done' = 'idle';

  return {
    async tell() {
      const since = await records.restorePoint();
      if (since === undefined) {
        state = 'done';
        return;
      }
      state = 'telling';
      ending = await tellEnds(deps, since);
      const progressed = await tellProgress(deps);
      log.info({ ended: ending.length, progressed }, 'restored: the runs were told what the records know beyond them');
    },
    async finish() {
      if (state !== 'telling') return;
      await allEnded(deps, ending).catch((error: unknown) =>
        log.warn({ error: String(error) }, 'some restored runs have not ended yet; their devices are busy until then'),
      );
      await records.engineCaughtUp();
      state = 'done';
    },
    isDone: () => state === 'done',
  };
}

/** A run that has been told its end. */
interface EndingRun {
  readonly workflowId: string;
  readonly runId: string;
}

/** @returns the runs that were open */
async function tellEnds(deps: CatchUpDeps, since: number): Promise<EndingRun[]> {
  const open: EndingRun[] = [];
  for await (const task of changedTasks(deps, since)) {
    if (task.status === 'cancelled') await unlessClosed(deps.client.workflow.getHandle(task.workflowId).cancel());
    for await (const updates of changedUpdates(deps, since, task.id)) {
      const ended = updates.filter(({ status }) => !isOpen(status));
      open.push(...(await inTurns(ended, (update) => tellEnd(deps, update))).filter((run) => run !== undefined));
    }
  }
  return open;
}

async function* changedTasks({ records }: CatchUpDeps, since: number): AsyncGenerator<TaskRecord> {
  for (let from = since, more = true; more;) {
    const changes = await records.changesSince(from, null, PAGE);
    yield* changes.tasks;
    ({ change: from, more } = changes);
  }
}

async function* changedUpdates({ records }: CatchUpDeps, since: number, taskId: string) {
  for (let from = since, more = true; more;) {
    const changes = await records.changesSince(from, taskId, PAGE);
    yield changes.deviceUpdates;
    ({ change: from, more } = changes);
  }
}

/** By its run: the device may have another task's run under the same workflow id. */
async function tellEnd(deps: CatchUpDeps, update: DeviceUpdateRecord): Promise<EndingRun | undefined> {
  const { id, workflowId, runId } = update;
  if (runId === null) return undefined;
  const whole = await deps.records.getDeviceUpdateById(id);
  if (!whole) return undefined;
  return (await sendEnd(deps, whole)) ? { workflowId, runId } : undefined;
}

/** @returns whether the run was open */
async function sendEnd({ signals, client }: CatchUpDeps, update: OpenDeviceUpdate): Promise<boolean> {
  const { record, firmware, policy } = update;
  const { taskId, outcome, cause } = record;
  const endedAtMs = record.endedAtMs ?? 0;
  if (outcome === 'succeeded') {
    // Its soak time is over: without that, the run would begin it now.
    const atMs = endedAtMs - policy.soakMs;
    const report = { taskId, version: firmware.version, atMs, progress: progressOf(record) };
    return (await signals.send(record, versionSignal, report)) === 'delivered';
  }
  if (cause !== null) {
    const failure = { taskId, cause, description: '', atMs: endedAtMs, progress: progressOf(record) };
    return (await signals.send(record, failureSignal, failure)) === 'delivered';
  }
  return cancelDeviceRun(client, record);
}

/** @returns how many open updates had something to tell */
async function tellProgress(deps: CatchUpDeps): Promise<number> {
  let told = 0;
  for (const status of OPEN_TASK_STATUSES) {
    for await (const tasks of pages((page) => deps.records.listTasks({ status }, page))) {
      for (const { id } of tasks) told += await tellProgressOf(deps, id);
    }
  }
  return told;
}

async function tellProgressOf(deps: CatchUpDeps, taskId: string): Promise<number> {
  let told = 0;
  for (const status of HEARD_OF) {
    for await (const updates of pages((page) => deps.records.listDeviceUpdates(taskId, { status }, page))) {
      const delivered = await inTurns(updates, (update) => tellReports(deps, update));
      told += delivered.filter((isDelivered) => isDelivered).length;
    }
  }
  return told;
}

/** What the device has reported of its open update. @returns whether a run was told */
async function tellReports({ records, signals }: CatchUpDeps, update: DeviceUpdateRecord): Promise<boolean> {
  const whole = await records.getDeviceUpdateById(update.id);
  if (!whole) return false;
  const { record, firmware, reportedFailure } = whole;
  const { id, taskId, hundredAtMs } = record;
  let isTold = false;
  if (record.startedAtMs !== null) {
    const atMs = hundredAtMs ?? record.lastProgressAtMs ?? record.startedAtMs;
    const step = hundredAtMs === null ? (record.step ?? 0) : 100;
    const report = { taskId, step, atMs, progress: progressOf(record) };
    isTold = (await signals.send(record, progressSignal, report)) === 'delivered';
    if (isTold) await records.signalled(id, hundredAtMs === null ? 'progress' : 'hundred', atMs);
  }
  const device = await records.getDevice(record);
  const installed = device?.modules.find(({ module }) => module === firmware.module);
  // A failure is told by the gateway's sweep; after a fall-back, an older report of the target version proves nothing.
  if (installed?.version !== firmware.version || reportedFailure !== null) return isTold;
  const atMs = record.targetReportedAtMs ?? installed.reportedAtMs;
  const report = { taskId, version: firmware.version, atMs };
  return (await signals.send(record, versionSignal, report)) === 'delivered' || isTold;
}

/** One that goes on under a new run is as open as that. */
const OPEN_RUNS: readonly string[] = ['RUNNING', 'CONTINUED_AS_NEW'];

async function allEnded({ client }: CatchUpDeps, runs: readonly EndingRun[]): Promise<void> {
  await client.withAbortSignal(AbortSignal.timeout(ENDING_MS), () =>
    inTurns(runs, async ({ workflowId, runId }) => {
      const handle = client.workflow.getHandle(workflowId, runId);
      // However it ends. When the time is up, asking fails as well, and that is told.
      await handle.result().catch(async (error: unknown) => {
        if (OPEN_RUNS.includes((await handle.describe()).status.name)) throw error;
      });
    }),
  );
}

interface Paged<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

async function* pages<T>(
  list: (page: { readonly limit: number; readonly cursor?: string }) => Promise<Paged<T>>,
): AsyncGenerator<readonly T[]> {
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: Paged<T> = await list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    yield page.items;
    cursor = page.nextCursor;
  }
}

/** A bounded number at once, in order. */
async function inTurns<T, R>(items: readonly T[], handle: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(handle))));
  }
  return results;
}

/** @returns whether the run was open: one that has ended needs no telling */
async function unlessClosed(telling: Promise<unknown>): Promise<boolean> {
  try {
    await telling;
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
