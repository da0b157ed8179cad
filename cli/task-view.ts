import type { DeviceHistoryEntryAnswer, DeviceUpdateAnswer, TaskAnswer, TaskDetailAnswer } from '../api/schemas.js';
import { awaitsApproval, isTaskOpen, type PauseCause } from '../domain/update-task.js';
import { durationText } from './durations.js';
import { firmwareName } from './firmware-name.js';
import { localTime, timesIn } from './printable.js';
import { pairs, table } from './table.js';

export type Counts = TaskAnswer['counts'];

/** The states in the order in which a device passes through them. */
export const STATES = ['pending', 'notified', 'upgrading', 'succeeded', 'failed', 'cancelled'] as const;

/** `pending 3 · upgrading 5 · succeeded 20 of 28`; without the states that no device is in. */
export function countsText(counts: Counts): string {
  const parts = STATES.filter((state) => counts[state] > 0).map((state) => `${state} ${counts[state]}`);
  return `${parts.length === 0 ? 'no device' : parts.join(' · ')} of ${counts.total}`;
}

export const tasksTable = (tasks: readonly TaskAnswer[]): string =>
  table(
    ['task', 'kind', 'status', 'firmware', 'from', 'devices', 'created'],
    tasks.map((task) => [
      task.id,
      task.kind,
      task.status,
      firmwareName(task.firmware),
      task.sourceVersions.join(', ') || null,
      countsText(task.counts),
      localTime(task.createdAt),
    ]),
  );

const PAUSES: Readonly<Record<PauseCause, string>> = {
  'firmware-file-damaged': 'the stored firmware file is damaged; it goes on when you add the same file again',
};

const decisionText = ({ by, at, remark }: NonNullable<TaskAnswer['approval']>): string =>
  `by ${by} at ${localTime(at)}${remark === '' ? '' : `: ${remark}`}`;

/** Why a task stands as it does, and what a person can do about it; nothing for one that simply runs. */
function standing(task: TaskAnswer): readonly (readonly [string, string])[] {
  const { approval, startedBy, pausedCause, cancelRequestedAt, endRequestedAt } = task;
  const isOpen = isTaskOpen(task.status);
  const underWay = (requestedAt: string) => `asked for at ${localTime(requestedAt)}, under way`;
  const approver = startedBy === null ? 'another operator' : `another operator than ${startedBy}`;
  return [
    ...(task.waitingFor === null ? [] : ([['waits for', task.waitingFor]] as const)),
    ...(awaitsApproval(task, cancelRequestedAt)
      ? ([['waits for', `${approver}: ferry approve ${task.id}`]] as const)
      : []),
    ...(approval === null ? [] : ([[approval.decision, decisionText(approval)]] as const)),
    ...(pausedCause === null
      ? []
      : ([['paused', `since ${localTime(task.pausedAt)}: ${PAUSES[pausedCause]}`]] as const)),
    ...(isOpen && cancelRequestedAt !== null ? ([['cancellation', underWay(cancelRequestedAt)]] as const) : []),
    ...(isOpen && endRequestedAt !== null ? ([['early end', underWay(endRequestedAt)]] as const) : []),
  ];
}

export function taskText(task: TaskAnswer & Partial<Pick<TaskDetailAnswer, 'failuresByCause'>>): string {
  const failures = Object.entries(task.failuresByCause ?? {}).map(([cause, count]) => `${cause} ${count}`);
  const { policy } = task;
  return pairs([
    ['task', task.id],
    ['kind', task.kind],
    ['status', task.status],
    ['firmware', `${firmwareName(task.firmware)} (${task.firmware.id})`],
    ['product', task.firmware.productKey],
    ['from', task.sourceVersions.join(', ') || null],
    ['devices', countsText(task.counts)],
    ...standing(task),
    ...(failures.length > 0 ? ([['failures', failures.join(' · ')]] as const) : []),
    ...(task.reinitiates === null ? [] : ([['re-initiates', task.reinitiates]] as const)),
    ['created', `${localTime(task.createdAt)}${task.startedBy === null ? '' : ` by ${task.startedBy}`}`],
    ['started', localTime(task.startedAt)],
    ['ended', localTime(task.endedAt)],
    [
      'policy',
      `offline ${durationText(policy.offlineTimeoutMs)}, response ${durationText(policy.responseTimeoutMs)} × ` +
        `${policy.notificationsMax}, stall ${durationText(policy.stallTimeoutMs)}, confirmation ` +
        `${durationText(policy.confirmationTimeoutMs)}, offline in mid-update ${durationText(policy.offlineMidUpdateMs)}, overall ${durationText(policy.overallTimeoutMs)}, soak ${durationText(policy.soakMs)}`,
    ],
    ['workflow', task.workflow.url ?? task.workflow.id],
  ]);
}

export const deviceUpdatesTable = (updates: readonly DeviceUpdateAnswer[]): string =>
  table(
    ['device', 'status', 'step', 'attempt', 'what happens next, or what happened'],
    updates.map((update) => [
      update.deviceName,
      update.outcome ?? update.status,
      update.step === null ? null : `${update.step} %`,
      update.attempt,
      storyOf(update),
    ]),
  );

/** The updates of one device over all tasks: which task brought it from which version to which, when, and how long it took. */
export const historyTable = (updates: readonly DeviceHistoryEntryAnswer[]): string =>
  table(
    [
      'begun',
      'task',
      'firmware',
      'from',
      'to',
      'status',
      'step',
      'attempt',
      'took',
      'what happens next, or what happened',
    ],
    updates.map((update) => [
      localTime(update.createdAt),
      update.taskId,
      update.firmware.name,
      update.sourceVersions.join(', ') || null,
      update.firmware.version,
      update.outcome ?? update.status,
      update.step === null ? null : `${update.step} %`,
      update.attempt,
      tookText(update),
      storyOf(update),
    ]),
  );

/** Without the wait for a device that is offline: from the first notification to the end. */
function tookText({ notifiedAt, endedAt }: DeviceUpdateAnswer): string | null {
  if (notifiedAt === null || endedAt === null) return null;
  return durationText(Date.parse(endedAt) - Date.parse(notifiedAt));
}

export const failuresTable = (updates: readonly DeviceUpdateAnswer[]): string =>
  table(
    ['device', 'cause', 'detail', 'attempt', 'ended'],
    updates.map((update) => [
      update.deviceName,
      update.cause,
      update.detail === null ? null : timesIn(update.detail),
      update.attempt,
      localTime(update.endedAt),
    ]),
  );

function storyOf({ waitingFor, detail, endedAt }: DeviceUpdateAnswer): string {
  return timesIn(waitingFor?.text ?? detail ?? localTime(endedAt));
}
