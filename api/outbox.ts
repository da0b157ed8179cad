import type { Client } from '@temporalio/client';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { APPROVAL_TIMEOUT_MS, DEVICE_RUN_EVENTS_MAX, shardDevices, UNCONFIRMED_STARTS_MAX } from '../domain/policy.js';
import type { Approval } from '../domain/update-task.js';
import { cancelAllWaiting } from '../records/cancel-waiting.js';
import type { DeviceUpdateRecord, Records, TaskRecord, Undelivered } from '../records/records.js';
import type { batchUpdate } from '../workflows/batch-update.js';
import { decideUpdate, endSignal } from '../workflows/messages.js';
import { taskRunOptions, type TaskOrigin } from '../workflows/task-input.js';
import type { verification } from '../workflows/verification.js';
import type { ApiLog } from './deps.js';
import { cancelDeviceRun } from './device-run.js';

export interface OutboxDeps {
  readonly records: Pick<
    Records,
    | 'undeliveredTask'
    | 'undeliveredTasks'
    | 'undeliveredDeviceCancels'
    | 'tasksWithUndeliveredDeviceCancels'
    | 'delivered'
    | 'deviceCancelDelivered'
    | 'cancelWaiting'
    | 'getFirmware'
  >;
  readonly client: Pick<Client, 'workflow' | 'withDeadline'>;
  readonly log: ApiLog;
}

export interface Outbox {
  /** Tells the engine what it must still be told of a task. Never rejects: what fails is left for the next round. */
  deliver(taskId: string): Promise<void>;
  /** The same for everything that is undelivered: a round of the reconciler. Never rejects. */
  deliverAll(): Promise<void>;
}

/** Tasks and device updates of one round. */
const ROUND_MAX = 1_000;
const DECISION_MS = 10_000;

/**
 * The transactional outbox: the records hold what operators asked for, committed first; here the engine is told, at
 * least once. Each message is one that the engine takes once: a start by its business key, a cancellation, an end.
 */
export function createOutbox({ records, client, log }: OutboxDeps): Outbox {
  /** The last delivery of each task that is under way; the next one waits for it, and reads the records anew. */
  const underWay = new Map<string, Promise<void>>();

  function deliver(taskId: string): Promise<void> {
    const before = underWay.get(taskId) ?? Promise.resolve();
    const delivery = before
      .then(() => deliverTask(taskId))
      .catch((error: unknown) => log.warn({ taskId, err: error }, 'the engine could not be told; it is tried again'))
      .finally(() => {
        if (underWay.get(taskId) === delivery) underWay.delete(taskId);
      });
    underWay.set(taskId, delivery);
    return delivery;
  }

  async function deliverAll(): Promise<void> {
    try {
      const tasks = await records.undeliveredTasks(ROUND_MAX);
      const ofDevices = await records.tasksWithUndeliveredDeviceCancels(ROUND_MAX);
      const taskIds = new Set([...tasks.map(({ task }) => task.id), ...ofDevices]);
      for (const taskId of taskIds) await deliver(taskId);
    } catch (error) {
      log.warn({ err: error }, 'the outbox could not be read; it is tried again');
    }
  }

  async function deliverTask(taskId: string): Promise<void> {
    const undelivered = await records.undeliveredTask(taskId);
    if (undelivered?.start) await startRun(undelivered.task);
    if (undelivered) await stopRun(undelivered);
    if (undelivered?.approval && !undelivered.cancel) await decide(undelivered.task, undelivered.approval);
    for (const update of await records.undeliveredDeviceCancels(taskId, ROUND_MAX)) await cancelRunOf(update);
  }

  async function stopRun({ task, cancel, end, approval }: Undelivered): Promise<void> {
    const { id, workflowId } = task;
    if (!cancel && !end) return;
    // The records first: operators see at once what is over, and the engine need not record it device by device.
    const atMs = task.cancelRequestedAtMs ?? task.endRequestedAtMs ?? task.createdAtMs;
    await cancelAllWaiting(records, { id, total: task.counts.total }, { which: 'untold', atMs });
    const run = client.workflow.getHandle(workflowId);
    if (cancel) {
      await unlessClosed(run.cancel());
      await records.delivered(id, 'cancel');
      // A batch that is approved first would begin for a moment.
      if (approval) await records.delivered(id, 'approval');
    }
    if (end) {
      await unlessClosed(run.signal(endSignal));
      await records.delivered(id, 'end');
    }
  }

  /** The run must take it, so this waits for a worker: not for ever, since others wait behind. */
  async function decide({ id, workflowId }: TaskRecord, approval: Approval): Promise<void> {
    const run = client.workflow.getHandle(workflowId);
    try {
      await client.withDeadline(Date.now() + DECISION_MS, () =>
        unlessClosed(run.executeUpdate(decideUpdate, { args: [approval], updateId: `approval/${id}` })),
      );
    } catch (error) {
      if (!(error instanceof WorkflowUpdateFailedError)) throw error;
      // The run was decided otherwise, before the records were restored: it would refuse for ever.
      log.warn({ taskId: id, err: error }, `the run refuses that the task is ${approval.decision}`);
      if (approval.decision === 'rejected') await unlessClosed(run.cancel());
    }
    await records.delivered(id, 'approval');
  }

  async function startRun(task: TaskRecord): Promise<void> {
    const { id: taskId, kind, firmware, policy, counts } = task;
    const options = {
      ...taskRunOptions({
        taskId,
        kind,
        productKey: firmware.productKey,
        firmware: { id: firmware.id, name: firmware.name, module: firmware.module, version: firmware.version },
        policy,
        devicesTotal: counts.total,
        shardDevices: shardDevices(counts.total),
        unconfirmedStartsMax: UNCONFIRMED_STARTS_MAX,
        deviceRunEventsMax: DEVICE_RUN_EVENTS_MAX,
        ...(task.needsApproval && { approval: { startedBy: task.startedBy, timeoutMs: APPROVAL_TIMEOUT_MS } }),
        ...(await originOf(task)),
      }),
      // A task is run once, also when its run has ended and only the records were not told that it was started.
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
    } as const;
    try {
      if (kind === 'batch') await client.workflow.start<typeof batchUpdate>('batchUpdate', options);
      else await client.workflow.start<typeof verification>('verification', options);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    await records.delivered(taskId, 'start');
  }

  async function originOf(task: TaskRecord): Promise<{ origin?: TaskOrigin }> {
    const used = await records.getFirmware(task.firmware.id);
    if (!used) return {};
    const { sizeBytes, signMethod, sign, sha256, signature, signatureKeyId, createdAtMs, verifiedAtMs } = used;
    return {
      origin: {
        createdAtMs: task.createdAtMs,
        sourceVersions: task.sourceVersions,
        reinitiates: task.reinitiates,
        startedBy: task.startedBy,
        firmware: { sizeBytes, signMethod, sign, sha256, signature, signatureKeyId, createdAtMs, verifiedAtMs },
      },
    };
  }

  async function cancelRunOf(update: DeviceUpdateRecord): Promise<void> {
    if (update.runId === null) return;
    await cancelDeviceRun(client, update);
    await records.deviceCancelDelivered(update.id);
  }

  return { deliver, deliverAll };
}

/** A run that has ended needs no telling. */
async function unlessClosed(telling: Promise<unknown>): Promise<void> {
  try {
    await telling;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
