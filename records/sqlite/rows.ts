import { getTableColumns } from 'drizzle-orm';
import { deviceUpdateWorkflowId, taskWorkflowId } from '../../domain/ids.js';
import { wholePolicy } from '../../domain/policy.js';
import type { DeviceUpdateRecord, TaskRecord } from '../records.js';
import { deviceUpdates, firmware, tasks } from './schema.js';

export type DeviceUpdateRow = typeof deviceUpdates.$inferSelect;
export type TaskRow = typeof tasks.$inferSelect;
export type FirmwareRow = typeof firmware.$inferSelect;

/** The row without what only gateway and outbox need. */
function recorded<T extends Record<keyof DeviceUpdateRow, unknown>>(row: T) {
  const {
    module,
    cancelDelivered,
    progressSignalled,
    hundredSignalled,
    failureSignalled,
    targetSignalled,
    reportedFailure,
    onlineSignals,
    onlineSignalledAtMs,
    targetHeardAtMs,
    newsAtMs,
    lateReportAtMs,
    ...record
  } = row;
  return record;
}

/** The columns of a device update's record. */
export const DEVICE_UPDATE = recorded(getTableColumns(deviceUpdates));

export const deviceUpdateOf = (row: DeviceUpdateRow): DeviceUpdateRecord => deviceUpdateRecord(recorded(row));

/** @param row of `DEVICE_UPDATE`; it becomes the record */
export const deviceUpdateRecord = (row: Omit<DeviceUpdateRecord, 'workflowId'>): DeviceUpdateRecord =>
  Object.assign(row, { workflowId: deviceUpdateWorkflowId(row) });

/** The columns of a task's record: all but what only the outbox needs, and what names the firmware. */
export const TASK = {
  task: taskColumns(getTableColumns(tasks)),
  firmware: {
    id: firmware.id,
    name: firmware.name,
    productKey: firmware.productKey,
    module: firmware.module,
    version: firmware.version,
  },
};

function taskColumns<T extends Record<keyof TaskRow, unknown>>(row: T) {
  const { firmwareId, productKey, startDelivered, cancelDelivered, endDelivered, approvalDelivered, ...columns } = row;
  return columns;
}

type TaskColumns = Pick<TaskRow, keyof typeof TASK.task>;

export function taskOf(
  task: TaskColumns,
  { id, name, productKey, module, version }: TaskRecord['firmware'],
): TaskRecord {
  return {
    id: task.id,
    kind: task.kind,
    status: task.status,
    firmware: { id, name, productKey, module, version },
    sourceVersions: task.sourceVersions,
    policy: wholePolicy(task.policy),
    counts: {
      pending: task.pending,
      notified: task.notified,
      upgrading: task.upgrading,
      succeeded: task.succeeded,
      failed: task.failed,
      cancelled: task.cancelled,
      total: task.total,
    },
    reinitiates: task.reinitiates,
    startedBy: task.startedBy,
    workflowId: taskWorkflowId(task.kind, task.id),
    runId: task.runId,
    createdAtMs: task.createdAtMs,
    startedAtMs: task.startedAtMs,
    endedAtMs: task.endedAtMs,
    cancelRequestedAtMs: task.cancelRequestedAtMs,
    endRequestedAtMs: task.endRequestedAtMs,
    pausedCause: task.pausedCause,
    pausedAtMs: task.pausedAtMs,
    needsApproval: task.needsApproval,
    approval: task.approval,
    change: task.change,
  };
}
