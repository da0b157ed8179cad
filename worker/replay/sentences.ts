import type { NotifyAnswer, ShardDevice, Sighting } from '../../activities/activities.js';
import type { DeviceUpdateInput, OutcomeCounts, ShardInput, TaskInput } from '../../workflows/task-input.js';
import type { DeviceUpdateResult } from '../../workflows/device-update.js';
import type {
  ContinuedRun,
  FailureSignal,
  FetchedSignal,
  OnlineSignal,
  ProgressSignal,
  Report,
  VersionSignal,
} from '../../workflows/messages.js';
import { localActivityOf, patchOf, textOf, valueOf, type HistoryEvent, type LocalActivity } from './decode.js';

/** The type of a run, by its first event. */
export const runTypeOf = (events: readonly HistoryEvent[]): string =>
  events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? 'unknown';

/** Tells events apart that the same run has begun earlier: timers by their number, children by theirs. */
export interface Earlier {
  readonly byId: ReadonlyMap<number, HistoryEvent>;
}

/** What an event means, as a sentence; null for the engine's own bookkeeping. */
export function sentenceOf(event: HistoryEvent, type: string, earlier: Earlier): string | null {
  return (
    beginning(event, type) ??
    signal(event, type) ??
    patch(event) ??
    activity(event) ??
    longActivity(event, earlier) ??
    timer(event, earlier) ??
    child(event) ??
    trouble(event) ??
    ending(event)
  );
}

// ── how a run begins ────────────────────────────────────────────────────────────────────────────

function beginning(event: HistoryEvent, type: string): string | null {
  const started = event.workflowExecutionStartedEventAttributes;
  if (!started) return null;
  const input = valueOf(started.input);
  switch (type) {
    case 'deviceUpdate': {
      const { deviceName, productKey, attempt, firmware, taskId, carried } = input as DeviceUpdateInput;
      if (carried)
        return `The update of ${productKey}/${deviceName} went on here, from the run before (task ${taskId}).`;
      return `The update of ${productKey}/${deviceName} to ${firmware.name} ${firmware.version} began (attempt ${attempt}, task ${taskId}).`;
    }
    case 'shard': {
      const { shard, taskId } = input as ShardInput;
      return `Shard ${shard} of batch update ${taskId} began.`;
    }
    case 'verification':
    case 'batchUpdate': {
      const { taskId, firmware, devicesTotal } = input as TaskInput;
      const kind = type === 'verification' ? 'verification' : 'batch update';
      return `The ${kind} ${taskId} to ${firmware.name} ${firmware.version} began, of ${devicesTotal} device(s).`;
    }
    default:
      return `A run of the type ${type} began.`;
  }
}

// ── what it is told ─────────────────────────────────────────────────────────────────────────────

function signal(event: HistoryEvent, type: string): string | null {
  const cancel = event.workflowExecutionCancelRequestedEventAttributes;
  if (cancel)
    return type === 'deviceUpdate' ? 'Its cancellation was requested.' : 'The task’s cancellation was requested.';
  const signalled = event.workflowExecutionSignaledEventAttributes;
  if (!signalled) return null;
  const message = valueOf(signalled.input);
  return `${told(signalled.signalName ?? '', message)}${progressOf(signalled.signalName ?? '', message)}`;
}

/** Most percentages reach a run with whatever it is told next. */
function progressOf(name: string, message: unknown): string {
  const { progress } = (message ?? {}) as Partial<Report>;
  if (name === 'progress' || !progress || progress.step === null) return '';
  return ` Until then it had reported step ${progress.step}.`;
}

function told(name: string, message: unknown): string {
  switch (name) {
    case 'progress':
      return `The device reported step ${(message as ProgressSignal).step}.`;
    case 'failure': {
      const { cause, description } = message as FailureSignal;
      return `The device failed: ${cause}${description === '' ? '' : ` (“${description}”)`}.`;
    }
    case 'version':
      return `The device reported that it runs ${(message as VersionSignal).version}.`;
    case 'online':
      return `The device can be notified (online since ${iso((message as OnlineSignal).atMs)}).`;
    case 'fetched':
      return `The device asked for its update and got it (${iso((message as FetchedSignal).atMs)}).`;
    case 'deviceRunContinued':
      return `${(message as ContinuedRun).workflowId} went on under a new run.`;
    case 'shardStarted':
      return `Shard ${String(message)} has asked for the start of its last device update.`;
    case 'end':
      return 'An operator ended the verification early.';
    default:
      return `It got the signal ${name}.`;
  }
}

// ── what Ferry did ──────────────────────────────────────────────────────────────────────────────

function patch(event: HistoryEvent): string | null {
  const id = patchOf(event);
  return id === undefined ? null : `From here on it follows newer code: ${id}.`;
}

function activity(event: HistoryEvent): string | null {
  const done = localActivityOf(event);
  if (!done) return null;
  const tries = done.attempt > 1 ? ` (at try ${done.attempt})` : '';
  if (done.failure !== undefined) return `Ferry’s step ${done.name} failed${tries}: ${done.failure}`;
  return `${deed(done)}${tries}.`;
}

/** A step that may take long has events of its own: its beginning, and its end. */
function longActivity(event: HistoryEvent, { byId }: Earlier): string | null {
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled) return `Ferry began its step ${scheduled.activityType?.name ?? 'unknown'}.`;
  const nameOf = (id: { toString(): string } | null | undefined): string =>
    byId.get(Number(id))?.activityTaskScheduledEventAttributes?.activityType?.name ?? 'unknown';
  const completed = event.activityTaskCompletedEventAttributes;
  if (completed) {
    return `${deed({ name: nameOf(completed.scheduledEventId), answer: valueOf(completed.result) })}.`;
  }
  const timedOut = event.activityTaskTimedOutEventAttributes;
  if (timedOut) return `Ferry’s step ${nameOf(timedOut.scheduledEventId)} was not finished in time.`;
  const failed = event.activityTaskFailedEventAttributes;
  if (failed) return `Ferry’s step ${nameOf(failed.scheduledEventId)} failed: ${failed.failure?.message ?? ''}`;
  const cancelled = event.activityTaskCanceledEventAttributes;
  return cancelled ? `Ferry’s step ${nameOf(cancelled.scheduledEventId)} was given up.` : null;
}

function deed({ name, answer }: Pick<LocalActivity, 'name' | 'answer'>): string {
  switch (name) {
    case 'notifyDevice':
      return notification(answer as NotifyAnswer);
    case 'lookAtDevice':
      return `Ferry looked the device up: ${sighting(answer as Sighting)}`;
    case 'recordDeviceUpdate':
      return 'Ferry wrote the state into the records';
    case 'endDeviceUpdate':
      return 'Ferry recorded the end of a device update that no run of its own could end';
    case 'loadShard':
      return `Ferry loaded ${(answer as readonly ShardDevice[]).length} device update(s)`;
    case 'whoHolds':
      return 'Ferry asked which devices still have another update';
    case 'closeUntoldRuns':
      return `Ferry closed ${(answer as readonly string[]).length} run(s) of which no device was told`;
    case 'endUnbegun':
      return 'Ferry recorded the end of the device updates that a broken shard had not begun';
    case 'beginTask':
      return 'Ferry recorded that the task’s run has begun';
    case 'endTask':
      return 'Ferry recorded the end of the task and released its claims';
    default:
      return `Ferry did its step ${name}`;
  }
}

function notification(answer: NotifyAnswer): string {
  switch (answer.kind) {
    case 'sent':
      return 'Ferry sent the device its notification';
    case 'unreachable':
      return 'The device could not be notified: it was not connected and subscribed';
    case 'on-target':
      return 'The device was not notified: it runs the target version';
    case 'held':
      return answer.by === 'paused'
        ? 'The device was not notified: its task is paused'
        : 'The device was not notified: its task waits for the approval of a second operator';
    case 'unfit':
      return `The device was not notified, since the update does not fit it: ${answer.reason}`;
    case 'file-damaged':
      return 'The device was not notified: the stored firmware file was damaged';
    case 'failed':
      return `The device was not notified: it had reported ${answer.failure.cause}`;
    case 'cancelled':
      return 'The device was not notified: an operator had cancelled its update';
  }
}

function sighting({ reachable, version, step, failure }: Sighting): string {
  const parts = [reachable ? 'connected' : 'not connected', `runs ${version ?? 'an unknown version'}`];
  if (step !== null) parts.push(`step ${step}`);
  if (failure) parts.push(`reported ${failure.cause}`);
  return parts.join(', ');
}

// ── its clocks ──────────────────────────────────────────────────────────────────────────────────

function timer(event: HistoryEvent, { byId }: Earlier): string | null {
  const started = event.timerStartedEventAttributes;
  if (started) return `A clock of ${seconds(started.startToFireTimeout)} was started${summaryOf(event)}.`;
  const fired = event.timerFiredEventAttributes;
  if (fired) return `The time was up${summaryOf(byId.get(Number(fired.startedEventId)))}.`;
  return event.timerCanceledEventAttributes ? 'The clock was stopped: something had come in.' : null;
}

const summaryOf = (event: HistoryEvent | undefined): string => {
  const summary = textOf(event?.userMetadata?.summary);
  return summary === undefined ? '' : `: ${summary}`;
};

// ── its device updates and shards ───────────────────────────────────────────────────────────────

function child(event: HistoryEvent): string | null {
  const refused = event.startChildWorkflowExecutionFailedEventAttributes;
  if (refused) {
    const isDevice = refused.workflowType?.name === 'deviceUpdate';
    return `${refused.workflowId ?? ''} was refused: ${isDevice ? 'the device has not finished its last update' : 'it runs already'}.`;
  }
  const started = event.childWorkflowExecutionStartedEventAttributes;
  if (started) return `${started.workflowExecution?.workflowId ?? ''} began.`;
  const completed = event.childWorkflowExecutionCompletedEventAttributes;
  if (completed) return `${completed.workflowExecution?.workflowId ?? ''} ended: ${result(valueOf(completed.result))}.`;
  const failed = event.childWorkflowExecutionFailedEventAttributes;
  if (failed) {
    const cause = failed.failure?.applicationFailureInfo?.type ?? 'failed';
    return `${failed.workflowExecution?.workflowId ?? ''} ended: ${cause}. ${failed.failure?.message ?? ''}`;
  }
  const cancelled = event.childWorkflowExecutionCanceledEventAttributes;
  if (cancelled) return `${cancelled.workflowExecution?.workflowId ?? ''} ended: cancelled.`;
  const terminated = event.childWorkflowExecutionTerminatedEventAttributes;
  if (terminated) return `${terminated.workflowExecution?.workflowId ?? ''} was terminated in Temporal.`;
  const asked = event.requestCancelExternalWorkflowExecutionInitiatedEventAttributes;
  return asked ? `The cancellation of ${asked.workflowExecution?.workflowId ?? ''} was requested.` : null;
}

function result(value: unknown): string {
  const end = value as Partial<DeviceUpdateResult & OutcomeCounts> | undefined;
  if (end?.succeeded !== undefined) {
    return `${end.succeeded} succeeded, ${end.failed ?? 0} failed, ${end.cancelled ?? 0} cancelled`;
  }
  const detail = end?.detail ? ` (${end.detail})` : '';
  return `${end?.outcome ?? end?.status ?? 'completed'}${detail}`;
}

// ── what went wrong in the engine, and how a run ends ───────────────────────────────────────────

function trouble(event: HistoryEvent): string | null {
  const failed = event.workflowTaskFailedEventAttributes;
  if (failed) return `The workflow code could not go on here: ${failed.failure?.message ?? 'no reason given'}.`;
  return event.workflowTaskTimedOutEventAttributes
    ? 'The worker did not answer in time: it was stopped or killed; another one went on.'
    : null;
}

function ending(event: HistoryEvent): string | null {
  const completed = event.workflowExecutionCompletedEventAttributes;
  if (completed) return `It ended: ${result(valueOf(completed.result))}.`;
  const failed = event.workflowExecutionFailedEventAttributes;
  if (failed)
    return `It ended as failed: ${failed.failure?.applicationFailureInfo?.type ?? ''}. ${failed.failure?.message ?? ''}`;
  if (event.workflowExecutionCanceledEventAttributes) return 'It ended: cancelled.';
  const goesOn = event.workflowExecutionContinuedAsNewEventAttributes;
  if (goesOn) return `Its history had become long: it went on under the run ${goesOn.newExecutionRunId ?? ''}.`;
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (terminated) return `It was terminated in Temporal: ${terminated.reason || 'no reason given'}.`;
  return event.workflowExecutionTimedOutEventAttributes ? 'It timed out in Temporal.' : null;
}

const iso = (ms: number): string => new Date(ms).toISOString();

function seconds(duration: { seconds?: unknown; nanos?: number | null } | null | undefined): string {
  const total = Number(duration?.seconds ?? 0) + (duration?.nanos ?? 0) / 1e9;
  return total >= 10 ? `${Math.round(total)} s` : `${total.toFixed(1)} s`;
}
