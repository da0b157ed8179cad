import { deviceUpdateWorkflowId, taskWorkflowId } from '../../domain/ids.js';
import { wholePolicy } from '../../domain/policy.js';
import type { DeviceUpdateRecord, TaskRecord } from '../records.js';
import type { deviceUpdates, firmware, tasks } from './schema.js';

export type DeviceUpdateRow = typeof deviceUpdates.$inferSelect;
export type TaskRow = typeof tasks.$inferSelect;
export type FirmwareRow = typeof firmware.$inferSelect;

/** The row without what only gateway and outbox need. */
export function deviceUpdateOf(row: DeviceUpdateRow): DeviceUpdateRecord {
  const {
    module,
    cancelDelivered,
    progressSignalled,
    hundredSignalled,
    failureSignalled,
    reportedFailure,
    onlineSignals,
    onlineSignalledAtMs,
    ...record
  } = row;
  return { ...record, workflowId: deviceUpdateWorkflowId(row) };
}

export function taskOf(task: TaskRow, { id, name, productKey, module, version }: FirmwareRow): TaskRecord {
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
