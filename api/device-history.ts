import type { DeviceUpdateRecord, Records, TaskRecord } from '../records/records.js';
import type { Answers } from './answers.js';
import type { DeviceHistoryEntryAnswer } from './schemas.js';

/** How far back the audit log is read for who cancelled something. */
const ENTRIES_MAX = 50;

export type DeviceHistory = ReturnType<typeof createDeviceHistory>;

/** The updates of a device as its page tells them: with the firmware, the task, and who cancelled them. */
export function createDeviceHistory(records: Pick<Records, 'getTask' | 'listAudit'>, answers: Answers) {
  return async (updates: readonly DeviceUpdateRecord[]): Promise<DeviceHistoryEntryAnswer[]> => {
    const taskIds = new Set(updates.map(({ taskId }) => taskId));
    const found = await Promise.all(Array.from(taskIds, (taskId) => records.getTask(taskId)));
    const tasks = new Map(found.flatMap((task) => (task ? [[task.id, task] as const] : [])));
    const entries = await Promise.all(
      updates.map(async (update) => {
        const task = tasks.get(update.taskId);
        return task === undefined ? undefined : entryOf(update, task);
      }),
    );
    // Without its task, an update is being forgotten.
    return entries.filter((entry) => entry !== undefined);
  };

  async function entryOf(update: DeviceUpdateRecord, task: TaskRecord): Promise<DeviceHistoryEntryAnswer> {
    const { id, name, module, version } = task.firmware;
    return {
      ...answers.deviceUpdate(update, update.endedAtMs === null ? task.policy : undefined),
      kind: task.kind,
      firmware: { id, name, module, version },
      sourceVersions: [...task.sourceVersions],
      startedBy: task.startedBy,
      cancelledBy: update.status === 'cancelled' ? await cancelledBy(update, task) : null,
    };
  }

  /** A request for the device alone comes before one for the whole task. */
  async function cancelledBy(update: DeviceUpdateRecord, task: TaskRecord): Promise<string | null> {
    if (update.cancelRequestedAtMs !== null) {
      return actorOf(`task/${task.id}/${update.deviceName}`, 'device-update.cancel');
    }
    if (task.approval?.decision === 'rejected') return task.approval.by;
    if (task.cancelRequestedAtMs !== null) return actorOf(`task/${task.id}`, 'task.cancel');
    return task.endRequestedAtMs === null ? null : actorOf(`task/${task.id}`, 'verification.end');
  }

  /** The first one who did it: later requests for the same changed nothing. */
  async function actorOf(target: string, action: string): Promise<string | null> {
    const { items } = await records.listAudit({ target, action }, { limit: ENTRIES_MAX });
    return items.findLast(({ outcome }) => outcome === 'done')?.actor ?? null;
  }
}
