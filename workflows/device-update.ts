import { ApplicationFailure } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { NotifyAnswer, RunAt, Sighting } from '../activities/activities.js';
import {
  cancelled,
  caughtUp,
  causeOfAbsence,
  confirmed,
  downloading,
  expired,
  failed,
  graceUntilMs,
  initialState,
  isAway,
  isOpen,
  left,
  notified,
  plausibleTime,
  progressed,
  reachedAgain,
  returned,
  sentLater,
  silent,
  succeeded,
  unreachable,
  waitingFor,
  withheld,
  type DeviceUpdateState,
} from '../domain/device-update.js';
import { DEVICE_RUN_EVENTS_MAX, wholePolicy, type StoredPolicy } from '../domain/policy.js';
import { describeDeviceUpdate } from './descriptions.js';
import {
  deviceRunContinuedSignal,
  failureSignal,
  fetchedSignal,
  onlineSignal,
  progressSignal,
  stateQuery,
  versionSignal,
  type Report,
} from './messages.js';
import { activities } from './proxies.js';
import { tellStory } from './story.js';
import { runSummary, type DeviceUpdateInput } from './task-input.js';

/** A notification that took longer was tried again and again: its device has heard of it just now. */
const LATE_SENDING_MS = 10_000;

export type DeviceUpdateResult = Pick<DeviceUpdateState, 'status' | 'outcome' | 'cause' | 'detail'>;

/** What a run hands on to the one under which it goes on. */
export interface Carried {
  readonly state: DeviceUpdateState;
  readonly isNotificationDue: boolean;
  readonly hasReconnected: boolean;
  readonly wasSeenAtItsLimit: boolean;
  readonly wasWithheld?: boolean;
  readonly notBeforeMs: number;
  readonly progressSeenAtMs: number;
  readonly onlineOn?: string | undefined;
  readonly notifiedOn?: string | undefined;
}

/**
 * One device in one task: notify it, follow its progress, and end with a proven outcome. A failed device ends the run
 * as Failed with the cause as failure type, so that the Temporal UI's own filter finds it.
 */
export async function deviceUpdate(input: DeviceUpdateInput): Promise<DeviceUpdateResult> {
  const { firmware, taskId, carried } = input;
  const policy = wholePolicy(input.policy);
  /** Runs of before this word of the policy keep their clocks, so that their histories replay. */
  const hasNewClocks = (input.policy as StoredPolicy).offlineMidUpdateMs !== undefined;
  const ref = { taskId, productKey: input.productKey, deviceName: input.deviceName };
  let state = carried?.state ?? initialState(Date.now());
  const startedAtMs = state.begunAtMs ?? Date.now();
  // Counters, not flags: what comes in during an await is not lost.
  let heard = 0;
  let notificationsAsked = carried?.isNotificationDue === false ? 0 : 1;
  let notificationsTried = 0;
  let onlines = carried?.hasReconnected ? 1 : 0;
  let onlinesAnswered = 0;
  /** The connection that the latest `online` signal named, and the one that the notification went out on. */
  let onlineOn = carried?.onlineOn;
  let notifiedOn = carried?.notifiedOn;
  let wasSeenAtItsLimit = carried?.wasSeenAtItsLimit ?? false;
  /** The device is in mid-update and could not get its firmware, so that its silence does not count. */
  let wasWithheld = carried?.wasWithheld ?? false;
  /** Temporal leaves the summary with the first run. */
  const heading = carried ? `${runSummary(input)}\n\n` : '';
  /** No time limit ends the update earlier: Ferry was away, and devices need a moment to come back. */
  let notBeforeMs = carried?.notBeforeMs ?? 0;
  /** The device's latest progress by the records' own clock, only ever compared with the same. */
  let progressSeenAtMs = carried?.progressSeenAtMs ?? 0;

  /** A report that names another task is an earlier update's, come late. */
  const mine = (report: Report, apply: (atMs: number) => void) => {
    if (report.taskId !== taskId) return;
    if (report.progress) {
      state = caughtUp(state, report.progress, Date.now());
      sawProgress(report.progress.lastProgressAtMs);
    }
    apply(plausibleTime(report.atMs, state, Date.now()));
    heard++;
    describe();
  };
  setHandler(progressSignal, (report) =>
    mine(report, (atMs) => {
      // The gateway has seen that the device was notified; this run may not have its activity's answer yet.
      state = progressed({ ...state, notifiedAtMs: state.notifiedAtMs ?? atMs }, report.step, atMs);
      sawProgress(report.atMs);
    }),
  );
  setHandler(failureSignal, (report) =>
    mine(report, (atMs) => (state = failed(state, report.cause, atMs, report.description))),
  );
  setHandler(versionSignal, (report) =>
    mine(report, (atMs) => {
      if (report.version === firmware.version) state = confirmed(state, atMs, policy.soakMs);
    }),
  );
  setHandler(fetchedSignal, (report) => mine(report, (atMs) => (state = returned(notified(state, atMs), atMs))));
  setHandler(onlineSignal, (report) =>
    mine(report, (atMs) => {
      state = returned(state, atMs);
      if (isRepeated(report.connectionId)) return;
      onlineOn = report.connectionId;
      onlines++;
      if (state.status !== 'upgrading') notificationsAsked++;
    }),
  );
  setHandler(stateQuery, () => ({ ...state, waitingFor: wait() ?? null }));

  try {
    if (carried) await CancellationScope.nonCancellable(tellThatItGoesOn);
    for (let last: typeof notify | undefined; isOpen(state.status);) {
      const step = nextStep();
      if (last && last !== notify && last !== resendUnlessItGoesOn && isHistoryLong()) await goOnUnderNewRun();
      await step();
      last = step;
      describe();
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    state = cancelled(state, Date.now(), 'An operator cancelled it.');
    describe();
    await CancellationScope.nonCancellable(record);
    throw error; // the run closes as Canceled, as ops staff expect to see it
  }
  await CancellationScope.nonCancellable(record);
  return result();

  function nextStep(): typeof notify {
    if (isSoaking()) return soak;
    if (state.status === 'upgrading') return onlines > onlinesAnswered ? resendUnlessItGoesOn : followProgress;
    return notificationsAsked > notificationsTried ? notify : awaitFirstProgress;
  }

  /** [seed: validate] online devices get the notification at once; others when they come online. */
  async function notify(): Promise<void> {
    const asked = notificationsAsked;
    onlinesAnswered = onlines;
    const answer = await send();
    notificationsTried = asked;
    noteConnection(answer);
  }

  async function send(): Promise<NotifyAnswer> {
    const at = now();
    const answer = await activities.notifyDevice(ref, at);
    state = afterNotify(state, answer, at.atMs);
    if (!hasNewClocks) return answer;
    if (state.status === 'upgrading' && (answer.kind === 'held' || answer.kind === 'file-damaged')) wasWithheld = true;
    // It was tried for a while, as on a full disk: the device has its whole time from the sending on.
    if (answer.kind === 'sent' && Date.now() - at.atMs >= LATE_SENDING_MS) {
      state = sentLater(state, Date.now());
      await record();
    }
    return answer;
  }

  async function awaitFirstProgress(): Promise<void> {
    if (await somethingHeard()) return;
    const sighting = await look();
    // A lost signal may have made it an update in progress, or have ended it.
    if (state.status !== 'pending' && state.status !== 'notified') return;
    if (isSoaking() || !timeIsUp()) return;
    if (state.status === 'pending') {
      // It is there, and this run was not told of it: the engine was away, or the device reconnects all the time.
      // Or it was held back, and its task may have gone on since.
      const isThere = sighting.reachable && !wasSeenAtItsLimit;
      if (isThere && patched('seen-at-its-limit')) {
        wasSeenAtItsLimit = true;
        notificationsAsked++;
        return;
      }
      state = expired(state, input.protocol, Date.now());
    } else if (!sighting.reachable) {
      state = unreachable(state);
      notificationsAsked++;
    } else if (hasNewClocks && sighting.isWithheld) {
      // It could not get its firmware: its silence is not held against it, and it is notified again when it can.
      notificationsAsked++;
    } else {
      state = silent(state);
      if (state.silences >= policy.notificationsMax) {
        state = failed(state, 'no-response', Date.now(), `It was notified ${state.notifications} time(s).`);
      }
      notificationsAsked++;
    }
  }

  async function followProgress(): Promise<void> {
    if (await somethingHeard()) return;
    const sighting = await look();
    if (!isOpen(state.status) || isSoaking() || !timeIsUp()) return;
    const atMs = Date.now();
    const isOverallTimeUp = atMs >= (state.startedAtMs ?? 0) + policy.overallTimeoutMs;
    if (!isOverallTimeUp && isHeldBack(sighting)) return;
    if (!isOverallTimeUp && (await mayReturn(sighting))) return;
    if (isAway(state)) {
      const since = new Date(state.awaySinceMs ?? 0).toISOString();
      const addition = `It left in mid-update, at step ${state.step ?? 0}, and is offline since ${since}.`;
      state = failed(state, causeOfAbsence(state), atMs, addition);
    } else if (state.hundredAtMs !== null) {
      state = failed(
        state,
        'version-unconfirmed',
        atMs,
        `It reported step 100, and runs ${sighting.version ?? 'an unknown version'}.`,
      );
    } else if (isOverallTimeUp) {
      state = failed(state, 'stalled', atMs, `It was not finished in time; its last step was ${state.step ?? 0}.`);
    } else {
      state = failed(state, 'stalled', atMs, `Its last step was ${state.step ?? 0}.`);
    }
  }

  /**
   * A device that can't get its firmware reports nothing, so its stall time begins anew. As soon as the firmware can be had
   * again, the device is notified again unless it goes on by itself.
   *
   * @returns true when the update goes on
   */
  function isHeldBack({ isWithheld = false, reachable }: Sighting): boolean {
    if (!hasNewClocks || state.hundredAtMs !== null || !reachable || !(isWithheld || wasWithheld)) return false;
    wasWithheld = isWithheld;
    state = reachedAgain(state, Date.now());
    if (!isWithheld) onlines++;
    return true;
  }

  /** A device that is offline can't report: it is waited for. True when the update goes on, with another clock. */
  async function mayReturn({ reachable, offlineSinceMs = null }: Sighting): Promise<boolean> {
    if (input.protocol !== 'mqtt' || policy.offlineMidUpdateMs === 0) return false;
    if (isAway(state)) {
      if (!reachable) return false;
      // It is back, and this run was not told of it.
      state = returned(state, Date.now());
      onlines++;
      return true;
    }
    if (reachable || offlineSinceMs === null) return false;
    state = left(state, plausibleTime(offlineSinceMs, state, Date.now()));
    await record();
    return true;
  }

  /**
   * A device that reconnects in mid-update mostly goes on by itself, or is about to report its new version; one that
   * stays silent has lost the notification and gets it again.
   */
  async function resendUnlessItGoesOn(): Promise<void> {
    const onlineAtMs = Date.now();
    const progressBeforeMs = progressSeenAtMs;
    onlinesAnswered = onlines;
    const finishing = () => !isOpen(state.status) || state.hundredAtMs !== null || isSoaking();
    const summary = 'reconnected: notified again unless it goes on by itself';
    if (await condition(finishing, policy.reconnectGraceMs, { summary })) return;
    const sighting = await look();
    // The records' times are another machine's: only one with another of them tells what came later.
    if (finishing() || (sighting.lastProgressAtMs ?? 0) > (hasNewClocks ? progressBeforeMs : onlineAtMs)) return;
    noteConnection(await send());
  }

  /** One connection is one reason to notify, however often this run is told of it. */
  function isRepeated(connectionId: string | undefined): boolean {
    if (connectionId === undefined) return false;
    if (connectionId === notifiedOn) return true;
    return connectionId === onlineOn && (state.status === 'upgrading' || notificationsAsked > notificationsTried);
  }

  /** What the run was told of a connection while it notified on it is answered too. */
  function noteConnection(answer: NotifyAnswer): void {
    notifiedOn = answer.kind === 'sent' ? answer.connectionId : undefined;
    if (notifiedOn === undefined || notifiedOn !== onlineOn) return;
    notificationsTried = notificationsAsked;
    onlinesAnswered = onlines;
  }

  /** A fall-back is told as a failure; one whose telling was lost is seen at the end of the soak time. */
  async function soak(): Promise<void> {
    if (await somethingHeard()) return;
    const { version } = await look();
    if (!isOpen(state.status) || !timeIsUp()) return;
    state =
      version === firmware.version
        ? succeeded(state, Date.now())
        : failed(state, 'fell-back', Date.now(), `It runs ${version ?? 'an unknown version'}.`);
  }

  /** True when anything came in before the time of the present wait was up. */
  function somethingHeard(): Promise<boolean> {
    const heardBefore = heard;
    const waiting = wait();
    const limitMs = Math.max(1, Math.max(waiting?.untilMs ?? 0, notBeforeMs) - Date.now());
    return condition(() => heard > heardBefore, limitMs, { summary: `${waiting?.what ?? ''}: ${waiting?.then ?? ''}` });
  }

  /** Before a time limit ends anything, the records have a say: a signal may be lost, a recorded report is not. */
  async function look(): Promise<Sighting> {
    const sighting = await activities.lookAtDevice(ref);
    const { version, failure, lastDownloadAtMs, targetReportedAtMs, targetHeardAtMs } = sighting;
    const nowMs = Date.now();
    state = caughtUp(state, sighting, nowMs);
    if (typeof lastDownloadAtMs === 'number') {
      state = downloading(state, plausibleTime(lastDownloadAtMs, state, nowMs));
    }
    const hasMoved = sawProgress(sighting.lastProgressAtMs);
    // It did report since the last look: that its report is too old already is due to another machine's clock.
    if (hasNewClocks && hasMoved && !isAway(state) && nowMs >= (wait()?.untilMs ?? 0)) {
      state = { ...state, lastProgressAtMs: nowMs };
    }
    const listeningSinceMs = listenedSinceMs(sighting, nowMs);
    if (listeningSinceMs !== undefined) notBeforeMs = graceUntilMs(wait(), Math.min(listeningSinceMs, nowMs));
    if (version === firmware.version && failure?.cause !== 'fell-back') {
      // The soak time runs since the report, whenever this run hears of it.
      const heardAtMs = targetReportedAtMs ?? targetHeardAtMs ?? nowMs;
      state = confirmed(state, plausibleTime(heardAtMs, state, nowMs), policy.soakMs);
    } else if (failure) {
      state = failed(state, failure.cause, failure.atMs, failure.description);
    }
    return sighting;
  }

  /** @returns whether there was any since the last time */
  function sawProgress(atMs: number | null): boolean {
    const hasMoved = (atMs ?? 0) > progressSeenAtMs;
    if (hasMoved) progressSeenAtMs = atMs ?? 0;
    return hasMoved;
  }

  /** @param atMs as the activity has recorded it: run and records tell the same times */
  function afterNotify(before: DeviceUpdateState, answer: NotifyAnswer, atMs: number): DeviceUpdateState {
    switch (answer.kind) {
      case 'sent':
        return notified(before, atMs);
      case 'unreachable':
        return unreachable(before);
      case 'on-target':
        return before.notifications === 0
          ? succeeded(before, atMs, 'It already ran the target version.')
          : confirmed(before, atMs, policy.soakMs);
      case 'file-damaged':
        return withheld(before, 'file-damaged');
      case 'held':
        return withheld(before, answer.by);
      case 'failed':
        return failed(before, answer.failure.cause, answer.failure.atMs, answer.failure.description);
      case 'unfit':
        return failed(before, 'update-failed', atMs, answer.reason);
      case 'cancelled':
        return cancelled(before, atMs, 'An operator cancelled it.');
    }
  }

  /**
   * Not right after a notification: a signal that comes in at that moment makes Temporal do the whole workflow task
   * again, and the device would be notified twice.
   */
  function isHistoryLong(): boolean {
    // A request that came in with the last step is answered by the next one.
    if (CancellationScope.current().consideredCancelled) return false;
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    if (input.eventsMax === undefined) return continueAsNewSuggested && patched('goes-on-under-a-new-run');
    return continueAsNewSuggested || historyLength >= input.eventsMax;
  }

  function goOnUnderNewRun(): Promise<never> {
    return continueAsNew<typeof deviceUpdate>({
      ...input,
      eventsMax: input.eventsMax ?? DEVICE_RUN_EVENTS_MAX,
      carried: {
        state,
        isNotificationDue: notificationsAsked > notificationsTried,
        hasReconnected: onlines > onlinesAnswered,
        wasSeenAtItsLimit,
        wasWithheld,
        notBeforeMs,
        progressSeenAtMs,
        onlineOn,
        notifiedOn,
      },
    });
  }

  /** The records link to this run from here on, and its parent can cancel it. */
  async function tellThatItGoesOn(): Promise<void> {
    const { parent, workflowId, runId } = workflowInfo();
    // A parent that has ended has cancelled it already, by its close.
    if (parent) {
      await getExternalWorkflowHandle(parent.workflowId)
        .signal(deviceRunContinuedSignal, { workflowId, runId })
        .catch(() => undefined);
    }
    await record();
  }

  function wait() {
    return waitingFor(state, policy, input.protocol, startedAtMs);
  }
  function isSoaking(): boolean {
    return state.targetReportedAtMs !== null;
  }
  function timeIsUp(): boolean {
    return Date.now() >= Math.max(wait()?.untilMs ?? 0, notBeforeMs);
  }
  function now(): RunAt {
    return { runId: workflowInfo().runId, state, atMs: Date.now() };
  }
  function record(): Promise<void> {
    return activities.recordDeviceUpdate(ref, state, workflowInfo().runId);
  }
  function describe(): void {
    const waiting = wait();
    setCurrentDetails(`${heading}${describeDeviceUpdate(state, waiting)}`);
    tellStory('deviceUpdate', { ...state, waitingFor: waiting ?? null });
  }
  function result(): DeviceUpdateResult {
    const { status, outcome, cause, detail } = state;
    const ended = { status, outcome, cause, detail };
    if (outcome !== 'failed') return ended;
    throw ApplicationFailure.create({
      type: cause ?? 'update-failed',
      message: detail ?? '',
      nonRetryable: true,
      details: [ended],
    });
  }
}

/** Since when devices could report without a break, by this run's clock. */
function listenedSinceMs({ listeningForMs, listeningSinceMs }: Sighting, nowMs: number): number | undefined {
  return listeningForMs === undefined ? listeningSinceMs : nowMs - listeningForMs;
}
