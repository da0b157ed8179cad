import { causeDetail, type FailureCause } from './causes.js';
import type { UpdatePolicy } from './policy.js';

/** Where one device stands in one update task [seed: validate, batch update]. */
export const DeviceUpdateStatus = {
  PENDING: 'pending', // not notified yet, or offline: it is notified when it comes online
  NOTIFIED: 'notified', // the notification went out; the device has reported nothing yet
  UPGRADING: 'upgrading', // it has reported progress: the update counts as started
  COMPLETED: 'completed', // ended, with an outcome
  CANCELLED: 'cancelled', // ended by an operator
} as const;
export type DeviceUpdateStatus = (typeof DeviceUpdateStatus)[keyof typeof DeviceUpdateStatus];

export type Outcome = 'succeeded' | 'failed';
export type DeviceProtocol = 'mqtt' | 'http' | 'coap';

/** The facts of a device update: the workflow's state and, column by column, the record's row. Times are epoch ms. */
export interface DeviceUpdateState {
  readonly status: DeviceUpdateStatus;
  readonly outcome: Outcome | null;
  /** Highest percentage reported, 0 to 100. */
  readonly step: number | null;
  readonly cause: FailureCause | null;
  readonly detail: string | null;
  /** When the run began; null while the task's turn has not come. */
  readonly begunAtMs: number | null;
  /** The latest notification. */
  readonly notifiedAtMs: number | null;
  readonly notifications: number;
  /** Response times that passed in silence while the device was online. */
  readonly silences: number;
  /** The first progress report: from here on the update counts as started. */
  readonly startedAtMs: number | null;
  readonly lastProgressAtMs: number | null;
  /** The first report of step 100. */
  readonly hundredAtMs: number | null;
  /** The latest time at which Ferry is known to have sent it bytes of its firmware. */
  readonly lastDownloadAtMs: number | null;
  /** In mid-update: since when it was offline, the last time that it was; it is back if anything came from it later. */
  readonly awaySinceMs: number | null;
  /** In mid-update: when it came back from that. */
  readonly backAtMs: number | null;
  /** The first report of the target version, while the soak time runs. */
  readonly targetReportedAtMs: number | null;
  readonly endedAtMs: number | null;
}

export const initialState = (begunAtMs: number | null): DeviceUpdateState => ({
  status: 'pending',
  outcome: null,
  step: null,
  cause: null,
  detail: null,
  begunAtMs,
  notifiedAtMs: null,
  notifications: 0,
  silences: 0,
  startedAtMs: null,
  lastProgressAtMs: null,
  hundredAtMs: null,
  lastDownloadAtMs: null,
  awaySinceMs: null,
  backAtMs: null,
  targetReportedAtMs: null,
  endedAtMs: null,
});

export const isOpen = (status: DeviceUpdateStatus): boolean => status !== 'completed' && status !== 'cancelled';

// Each function below answers the state after one event. Reports may repeat or come late (QoS 1), so a finished update
// never changes and the percentage never falls.

export function notified(state: DeviceUpdateState, atMs: number): DeviceUpdateState {
  if (!isOpen(state.status)) return state;
  return {
    ...state,
    status: state.status === 'upgrading' ? 'upgrading' : 'notified',
    notifiedAtMs: atMs,
    notifications: state.notifications + 1,
    detail: null,
  };
}

/** The device went out of reach before it reported anything: it waits to come online again. */
export function unreachable(state: DeviceUpdateState): DeviceUpdateState {
  if (state.status === 'notified') return { ...state, status: 'pending', silences: 0 };
  // What held it back before no longer does: it would not be notified anyway.
  return state.status === 'pending' ? { ...state, detail: null } : state;
}

/** Why a device that could be notified is not. */
export type WithheldBy = 'file-damaged' | 'paused' | 'awaiting-approval';

const WITHHELD: Readonly<Record<WithheldBy, string>> = {
  'file-damaged': 'The stored firmware file is damaged. Add the same file again.',
  paused: 'Its task is paused.',
  'awaiting-approval': 'Its task waits for the approval of a second operator.',
};

/** The device can't be notified, since its task sends nothing at present: it waits as for a device out of reach. */
export function withheld(state: DeviceUpdateState, by: WithheldBy): DeviceUpdateState {
  const waiting = unreachable(state);
  return waiting.status === 'pending' ? { ...waiting, detail: WITHHELD[by] } : waiting;
}

export function silent(state: DeviceUpdateState): DeviceUpdateState {
  return isOpen(state.status) ? { ...state, silences: state.silences + 1 } : state;
}

/** [seed: validate] the update counts as started only after the notification *and* a progress report. */
export function progressed(state: DeviceUpdateState, step: number, atMs: number): DeviceUpdateState {
  if (!isOpen(state.status) || state.notifiedAtMs === null) return state;
  return {
    ...state,
    status: 'upgrading',
    step: Math.max(state.step ?? 0, step),
    detail: null,
    startedAtMs: state.startedAtMs ?? atMs,
    lastProgressAtMs: Math.max(state.lastProgressAtMs ?? 0, atMs),
    hundredAtMs: state.hundredAtMs ?? (step >= 100 ? atMs : null),
  };
}

/** The latest thing that came from a device in mid-update, or went to it. */
const lastSignMs = ({ startedAtMs, lastProgressAtMs, lastDownloadAtMs, backAtMs }: DeviceUpdateState): number =>
  Math.max(startedAtMs ?? 0, lastProgressAtMs ?? 0, lastDownloadAtMs ?? 0, backAtMs ?? 0);

/** Whether it left in mid-update and has given no sign of life since. */
export const isAway = (state: DeviceUpdateState): boolean =>
  state.status === 'upgrading' && state.awaySinceMs !== null && lastSignMs(state) <= state.awaySinceMs;

/** The device is offline in mid-update: it is waited for. */
export function left(state: DeviceUpdateState, sinceMs: number): DeviceUpdateState {
  return state.status === 'upgrading' ? { ...state, awaySinceMs: Math.max(sinceMs, lastSignMs(state)) } : state;
}

/** A device that had left in mid-update is back: its time limits begin anew. */
export function returned(state: DeviceUpdateState, atMs: number): DeviceUpdateState {
  return isAway(state) ? { ...state, backAtMs: Math.max(atMs, (state.awaySinceMs ?? 0) + 1) } : state;
}

/** What held up a device in mid-update is not its fault: its stall time begins anew. */
export function reachedAgain(state: DeviceUpdateState, atMs: number): DeviceUpdateState {
  return state.status === 'upgrading' ? { ...state, backAtMs: Math.max(atMs, state.backAtMs ?? 0) } : state;
}

/** The notification left later than it was recorded: the response time counts from then. */
export function sentLater(state: DeviceUpdateState, atMs: number): DeviceUpdateState {
  if (state.status !== 'notified') return state;
  return { ...state, notifiedAtMs: Math.max(atMs, state.notifiedAtMs ?? 0) };
}

/** Ferry sends the device bytes of its firmware: a sign of life, and no progress. */
export function downloading(state: DeviceUpdateState, atMs: number): DeviceUpdateState {
  return isOpen(state.status) ? { ...state, lastDownloadAtMs: Math.max(state.lastDownloadAtMs ?? 0, atMs) } : state;
}

/**
 * A report's time as the run takes it: not before the update began, not after now. A clock that jumped must neither
 * end an update at once nor put its end off.
 */
export const plausibleTime = (atMs: number, state: DeviceUpdateState, nowMs: number): number =>
  Math.min(Math.max(atMs, state.begunAtMs ?? atMs), nowMs);

/** After this time a device has forgotten an update that ended without its word. */
const LATE_WORD_MS = 24 * 3_600_000;
/** A device that is told of an update needs a moment to leave what it is doing. */
const LATE_STEP_MS = 10_000;

/**
 * Whether a report is about the device's update before this one. Reports name no update: a device that was in the
 * middle of one which an operator or a time limit ended has still to say how it ended for the device itself. Its next
 * last word (a failure, or step 100), when it comes before any progress of the present update, is that one. So are
 * percentages beyond the earlier ones, in the first moments after the notification.
 *
 * @param current notified, without any progress yet
 */
export function isLateWord(
  earlier: DeviceUpdateState,
  current: DeviceUpdateState,
  report: { readonly step: number | 'failure'; readonly atMs: number; readonly isSameVersion: boolean },
): boolean {
  const { startedAtMs, hundredAtMs, endedAtMs, outcome, cause, step } = earlier;
  const wasInTheMiddle = startedAtMs !== null && hundredAtMs === null && endedAtMs !== null;
  const hadNoLastWord = outcome === null || cause === 'stalled' || cause === 'offline-expired';
  if (!wasInTheMiddle || !hadNoLastWord || report.atMs - endedAtMs > LATE_WORD_MS) return false;
  if (report.step === 'failure') return true;
  // The same firmware again: the device goes on with it, and its percentages are those of the present update.
  if (report.isSameVersion) return false;
  const sinceNotifiedMs = report.atMs - (current.notifiedAtMs ?? report.atMs);
  return report.step >= 100 || (report.step > (step ?? 0) && sinceNotifiedMs < LATE_STEP_MS);
}

/** What the records saw of the device's progress; the run may not have been told of all of it. */
export type RecordedProgress = Pick<DeviceUpdateState, 'step' | 'startedAtMs' | 'lastProgressAtMs' | 'hundredAtMs'>;

/** Nothing while it has reported none. */
export const progressOf = (state: DeviceUpdateState): RecordedProgress | undefined =>
  state.startedAtMs === null
    ? undefined
    : {
        step: state.step,
        startedAtMs: state.startedAtMs,
        lastProgressAtMs: state.lastProgressAtMs,
        hundredAtMs: state.hundredAtMs,
      };

export function caughtUp(state: DeviceUpdateState, seen: RecordedProgress, nowMs: number): DeviceUpdateState {
  if (!isOpen(state.status) || seen.startedAtMs === null) return state;
  const at = (atMs: number) => plausibleTime(atMs, state, nowMs);
  return {
    ...state,
    status: 'upgrading',
    step: Math.max(state.step ?? 0, seen.step ?? 0),
    detail: null,
    // Progress is recorded of notified devices only; the run may not have its notification's answer yet.
    notifiedAtMs: state.notifiedAtMs ?? at(seen.startedAtMs),
    startedAtMs: state.startedAtMs ?? at(seen.startedAtMs),
    lastProgressAtMs: Math.max(state.lastProgressAtMs ?? 0, at(seen.lastProgressAtMs ?? 0)),
    hundredAtMs: state.hundredAtMs ?? (seen.hundredAtMs === null ? null : at(seen.hundredAtMs)),
  };
}

/** The device has reported the target version as the one it runs: nothing less is success [design: succeeded]. */
export function succeeded(state: DeviceUpdateState, atMs: number, detail: string | null = null): DeviceUpdateState {
  if (!isOpen(state.status)) return state;
  return { ...state, status: 'completed', outcome: 'succeeded', cause: null, detail, endedAtMs: atMs };
}

/** The device runs the target version: it has succeeded, or must keep it for the soak time. */
export function confirmed(state: DeviceUpdateState, atMs: number, soakMs: number): DeviceUpdateState {
  if (soakMs === 0) return succeeded(state, atMs);
  if (!isOpen(state.status)) return state;
  // It waits for its device no longer.
  const status = state.status === 'pending' ? 'notified' : state.status;
  return { ...state, status, targetReportedAtMs: state.targetReportedAtMs ?? atMs };
}

export function failed(
  state: DeviceUpdateState,
  cause: FailureCause,
  atMs: number,
  addition?: string,
): DeviceUpdateState {
  if (!isOpen(state.status)) return state;
  return {
    ...state,
    status: 'completed',
    outcome: 'failed',
    cause,
    detail: causeDetail(cause, addition),
    endedAtMs: atMs,
  };
}

/** The time for which a pending device is waited for is over. */
export function expired(state: DeviceUpdateState, protocol: DeviceProtocol, atMs: number): DeviceUpdateState {
  // No fault of the device: it was held back.
  if (state.detail !== null) return failed(state, 'update-failed', atMs, `It was held back: ${state.detail}`);
  return failed(state, protocol === 'mqtt' ? 'offline-expired' : 'unreachable-transient', atMs);
}

export function cancelled(state: DeviceUpdateState, atMs: number, detail: string): DeviceUpdateState {
  return isOpen(state.status) ? { ...state, status: 'cancelled', detail, endedAtMs: atMs } : state;
}

/**
 * Its run was terminated. That is an operator's cancellation, unless the engine did it.
 *
 * @param reason the engine's own
 */
export function terminated(state: DeviceUpdateState, atMs: number, reason: string | undefined): DeviceUpdateState {
  if (reason === undefined) return cancelled(state, atMs, 'Its run was terminated in Temporal.');
  return failed(state, 'update-failed', atMs, `Temporal itself has ended its run: ${reason} Re-initiate it.`);
}

/** What an open device update waits for: with a clock and a consequence [design: every wait has a clock]. */
export interface WaitingFor {
  readonly what:
    | 'its-turn'
    | 'firmware-file'
    | 'task'
    | 'online'
    | 'query'
    | 'response'
    | 'progress'
    | 'return'
    | 'confirmation'
    | 'soak';
  readonly sinceMs: number;
  /** Null while the run has not begun: its clocks start with it. */
  readonly untilMs: number | null;
  /** What happens then. */
  readonly then: string;
  /** All of it as a sentence for people: the same words in API, CLI and the Temporal UI. Times are UTC. */
  readonly text: string;
}

/** How long after an outage of ours a device has, at most, to come back and report, before a time limit ends it. */
const GRACE_AFTER_OUTAGE_MS = 5 * 60_000;

/**
 * Until when a time limit that is over must still not end the update: devices could not report while Ferry was away.
 *
 * @param listeningSinceMs since when they can again
 */
export function graceUntilMs(waiting: WaitingFor | undefined, listeningSinceMs: number): number {
  if (!waiting || waiting.untilMs === null) return 0;
  const limitMs = waiting.untilMs - waiting.sinceMs;
  return listeningSinceMs + Math.min(Math.max(limitMs, 0), GRACE_AFTER_OUTAGE_MS);
}

/** The response time after `silences` silent ones: doubled at each. */
export const responseTimeoutMs = (policy: UpdatePolicy, silences: number): number =>
  policy.responseTimeoutMs * 2 ** silences;

/**
 * What the device update waits for now, or undefined when it has ended.
 *
 * @param createdAtMs when the device update was recorded, for the time before its run begins
 */
export function waitingFor(
  state: DeviceUpdateState,
  policy: UpdatePolicy,
  protocol: DeviceProtocol,
  createdAtMs: number,
): WaitingFor | undefined {
  if (!isOpen(state.status)) return undefined;
  if (state.begunAtMs === null) return waitingForItsTurn(createdAtMs);
  if (state.targetReportedAtMs !== null) return waitingWhileSoaking(state.targetReportedAtMs, policy);
  if (state.status === 'upgrading') return waitingWhileUpgrading(state, policy, protocol);
  if (state.status === 'notified') return waitingForResponse(state, policy);
  const untilMs = state.begunAtMs + policy.offlineTimeoutMs;
  if (state.detail !== null) {
    const sinceMs = state.notifiedAtMs ?? state.begunAtMs;
    const isFile = state.detail === WITHHELD['file-damaged'];
    const until = isFile ? 'the firmware file is well again' : 'its task goes on';
    const then = `notified when ${until}; else fails as update-failed`;
    const text = `held back, at the latest since ${time(sinceMs)}: ${state.detail} Fails as update-failed on ${time(untilMs)}`;
    return { what: isFile ? 'firmware-file' : 'task', sinceMs, untilMs, then, text };
  }
  if (protocol === 'mqtt') {
    const sinceMs = state.notifiedAtMs ?? state.begunAtMs;
    const then = 'notified when it comes online; else fails as offline-expired';
    const text = `offline since ${time(sinceMs)}; notified when it comes online; fails as offline-expired on ${time(untilMs)}`;
    return { what: 'online', sinceMs, untilMs, then, text };
  }
  const sinceMs = state.begunAtMs;
  const then = 'gets its update when it asks for it; else fails as unreachable-transient';
  const text = `has not asked for its update since ${time(sinceMs)}; gets it when it asks; fails as unreachable-transient on ${time(untilMs)}`;
  return { what: 'query', sinceMs, untilMs, then, text };
}

const time = (ms: number): string => new Date(ms).toISOString();

/** The clocks of a device update start with its run; its task's run is watched over, so its turn comes or the task ends. */
function waitingForItsTurn(sinceMs: number): WaitingFor {
  const then = 'starts as soon as its task reaches it';
  return { what: 'its-turn', sinceMs, untilMs: null, then, text: `waits for its turn since ${time(sinceMs)}; ${then}` };
}

function waitingForResponse(state: DeviceUpdateState, policy: UpdatePolicy): WaitingFor {
  const sinceMs = state.notifiedAtMs ?? 0;
  const limitMs = responseTimeoutMs(policy, state.silences);
  const then = state.silences + 1 >= policy.notificationsMax ? 'fails as no-response' : 'notified again';
  const downloadAtMs = state.lastDownloadAtMs ?? 0;
  if (downloadAtMs <= sinceMs) {
    const untilMs = sinceMs + limitMs;
    const text = `silent since its notification of ${time(sinceMs)}; ${then} on ${time(untilMs)}`;
    return { what: 'response', sinceMs, untilMs, then, text };
  }
  // A device that only ever downloads, and never reports, must not be waited for without an end.
  const overallMs = sinceMs + Math.max(policy.overallTimeoutMs, limitMs);
  const untilMs = Math.min(downloadAtMs + limitMs, overallMs);
  const text = `downloading, at the latest on ${time(downloadAtMs)}, but silent since its notification of ${time(sinceMs)}; ${then} on ${time(untilMs)}`;
  return { what: 'response', sinceMs, untilMs, then, text };
}

function waitingWhileUpgrading(state: DeviceUpdateState, policy: UpdatePolicy, protocol: DeviceProtocol): WaitingFor {
  const overallMs = (state.startedAtMs ?? 0) + policy.overallTimeoutMs;
  if (isAway(state)) return waitingForItsReturn(state, policy, overallMs);
  const isWaitedFor = protocol === 'mqtt' && policy.offlineMidUpdateMs > 0;
  const ifOnline = isWaitedFor ? ' if it is online then' : '';
  if (state.hundredAtMs !== null) {
    const fromMs = Math.max(state.hundredAtMs, state.backAtMs ?? 0);
    const untilMs = Math.min(fromMs + policy.confirmationTimeoutMs, overallMs);
    const text = `reported step 100 at ${time(state.hundredAtMs)}; succeeds when it reports the target version; fails as version-unconfirmed on ${time(untilMs)}${ifOnline}`;
    return {
      ...{ what: 'confirmation', sinceMs: state.hundredAtMs, untilMs },
      ...{ then: `fails as version-unconfirmed${ifOnline}`, text },
    };
  }
  const sinceMs = lastSignMs(state);
  const { notifiedAtMs, startedAtMs } = state;
  // One that was notified again in mid-update has as much time to answer as at first.
  const isResent = isWaitedFor && (notifiedAtMs ?? 0) > (startedAtMs ?? 0);
  const answeredMs = isResent ? (notifiedAtMs ?? 0) + policy.responseTimeoutMs : 0;
  const untilMs = Math.min(Math.max(sinceMs + policy.stallTimeoutMs, answeredMs), overallMs);
  const text = `upgrading, last progress at ${time(state.lastProgressAtMs ?? startedAtMs ?? 0)}${laterSigns(state)}; goes on with its next report; fails as stalled on ${time(untilMs)}${ifOnline}`;
  return { what: 'progress', sinceMs, untilMs, then: `fails as stalled${ifOnline}`, text };
}

/** What the device did after its last progress. */
function laterSigns({ lastProgressAtMs, lastDownloadAtMs, backAtMs }: DeviceUpdateState): string {
  const isLater = (atMs: number | null): atMs is number => atMs !== null && atMs > (lastProgressAtMs ?? 0);
  const back = isLater(backAtMs) ? `, back online on ${time(backAtMs)}` : '';
  return isLater(lastDownloadAtMs) ? `${back}, downloading on ${time(lastDownloadAtMs)}` : back;
}

function waitingForItsReturn(state: DeviceUpdateState, policy: UpdatePolicy, overallMs: number): WaitingFor {
  const sinceMs = state.awaySinceMs ?? 0;
  const untilMs = Math.min(sinceMs + policy.offlineMidUpdateMs, overallMs);
  const fails = `fails as ${causeOfAbsence(state)}`;
  const text = `offline in mid-update since ${time(sinceMs)}; goes on when it is back; ${fails} on ${time(untilMs)}`;
  return { what: 'return', sinceMs, untilMs, then: `goes on when it is back; else ${fails}`, text };
}

/** Why an update fails whose device left in mid-update and did not come back. */
export const causeOfAbsence = ({ hundredAtMs }: DeviceUpdateState): FailureCause =>
  hundredAtMs === null ? 'offline-expired' : 'version-unconfirmed';

function waitingWhileSoaking(sinceMs: number, policy: UpdatePolicy): WaitingFor {
  const untilMs = sinceMs + policy.soakMs;
  const then = 'succeeds if it still runs the target version; else fails as fell-back';
  const text = `runs the target version since ${time(sinceMs)}; succeeds on ${time(untilMs)} if it still does; fails as fell-back if it runs another one`;
  return { what: 'soak', sinceMs, untilMs, then, text };
}

/**
 * How long after its last `online` signal a device that keeps reconnecting is reported online again: the first few at
 * once, then doubling up to an hour, so that a flapping device never grows its run's history for ever.
 */
export function onlineBackoffMs(onlineSignals: number): number {
  if (onlineSignals < 5) return 0;
  return Math.min(1_000 * 2 ** (onlineSignals - 4), 3_600_000);
}
