import { ApplicationFailure } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { NotifyAnswer, RunAt } from '../activities/activities.js';
import {
  cancelled,
  caughtUp,
  confirmed,
  expired,
  failed,
  graceUntilMs,
  initialState,
  isOpen,
  notified,
  plausibleTime,
  progressed,
  silent,
  succeeded,
  unreachable,
  waitingFor,
  withheld,
  type DeviceUpdateState,
} from '../domain/device-update.js';
import { wholePolicy } from '../domain/policy.js';
import { describeDeviceUpdate } from './descriptions.js';
import {
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
import type { DeviceUpdateInput } from './task-input.js';

export type DeviceUpdateResult = Pick<DeviceUpdateState, 'status' | 'outcome' | 'cause' | 'detail'>;

/**
 * One device in one task: notify it, follow its progress, and end with a proven outcome. A failed device ends the run
 * as Failed with the cause as failure type, so that the Temporal UI's own filter finds it.
 */
export async function deviceUpdate(input: DeviceUpdateInput): Promise<DeviceUpdateResult> {
  const { firmware, taskId } = input;
  const policy = wholePolicy(input.policy);
  const ref = { taskId, productKey: input.productKey, deviceName: input.deviceName };
  const startedAtMs = Date.now();
  let state = initialState(startedAtMs);
  // Counters, not flags: what comes in during an await is not lost.
  let heard = 0;
  let notificationsAsked = 1;
  let notificationsTried = 0;
  let onlines = 0;
  let onlinesAnswered = 0;
  let wasSeenAtItsLimit = false;
  /** No time limit ends the update earlier: Ferry was away, and devices need a moment to come back. */
  let notBeforeMs = 0;

  /** A report that names another task is an earlier update's, come late. */
  const mine = (report: Report, apply: (atMs: number) => void) => {
    if (report.taskId !== taskId) return;
    if (report.progress) state = caughtUp(state, report.progress, Date.now());
    apply(plausibleTime(report.atMs, state, Date.now()));
    heard++;
    describe();
  };
  setHandler(progressSignal, (report) =>
    mine(report, (atMs) => {
      // The gateway has seen that the device was notified; this run may not have its activity's answer yet.
      state = progressed({ ...state, notifiedAtMs: state.notifiedAtMs ?? atMs }, report.step, atMs);
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
  setHandler(fetchedSignal, (report) => mine(report, (atMs) => (state = notified(state, atMs))));
  setHandler(onlineSignal, (report) =>
    mine(report, () => {
      onlines++;
      if (state.status !== 'upgrading') notificationsAsked++;
    }),
  );
  setHandler(stateQuery, () => ({ ...state, waitingFor: wait() ?? null }));

  try {
    while (isOpen(state.status)) {
      if (state.targetReportedAtMs !== null) await soak();
      else if (state.status === 'upgrading') await followProgress();
      else if (notificationsAsked > notificationsTried) await notify();
      else await awaitFirstProgress();
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

  /** [seed: validate] online devices get the notification at once; others when they come online. */
  async function notify(): Promise<void> {
    const asked = notificationsAsked;
    onlinesAnswered = onlines;
    const at = now();
    const answer = await activities.notifyDevice(ref, at);
    notificationsTried = asked;
    state = afterNotify(state, answer, at.atMs);
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
    } else {
      state = silent(state);
      if (state.silences >= policy.notificationsMax) {
        state = failed(state, 'no-response', Date.now(), `It was notified ${state.notifications} time(s).`);
      }
      notificationsAsked++;
    }
  }

  async function followProgress(): Promise<void> {
    if (onlines > onlinesAnswered) return resendUnlessItGoesOn();
    if (await somethingHeard()) return;
    const sighting = await look();
    if (!isOpen(state.status) || isSoaking() || !timeIsUp()) return;
    const atMs = Date.now();
    if (state.hundredAtMs !== null) {
      state = failed(
        state,
        'version-unconfirmed',
        atMs,
        `It reported step 100, and runs ${sighting.version ?? 'an unknown version'}.`,
      );
    } else if (atMs >= (state.startedAtMs ?? 0) + policy.overallTimeoutMs) {
      state = failed(state, 'stalled', atMs, `It was not finished in time; its last step was ${state.step ?? 0}.`);
    } else {
      state = failed(state, 'stalled', atMs, `Its last step was ${state.step ?? 0}.`);
    }
  }

  /**
   * A device that reconnects in mid-update mostly goes on by itself, or is about to report its new version; one that
   * stays silent has lost the notification and gets it again.
   */
  async function resendUnlessItGoesOn(): Promise<void> {
    const onlineAtMs = Date.now();
    onlinesAnswered = onlines;
    const finishing = () => !isOpen(state.status) || state.hundredAtMs !== null || isSoaking();
    const summary = 'reconnected: notified again unless it goes on by itself';
    if (await condition(finishing, policy.reconnectGraceMs, { summary })) return;
    const sighting = await look();
    if (finishing() || (sighting.lastProgressAtMs ?? 0) > onlineAtMs) return;
    const at = now();
    const answer = await activities.notifyDevice(ref, at);
    state = afterNotify(state, answer, at.atMs);
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
  async function look() {
    const sighting = await activities.lookAtDevice(ref);
    state = caughtUp(state, sighting, Date.now());
    const { version, failure, listeningSinceMs } = sighting;
    if (listeningSinceMs !== undefined) notBeforeMs = graceUntilMs(wait(), Math.min(listeningSinceMs, Date.now()));
    if (version === firmware.version && failure?.cause !== 'fell-back') {
      state = confirmed(state, Date.now(), policy.soakMs);
    } else if (failure) {
      state = failed(state, failure.cause, failure.atMs, failure.description);
    }
    return sighting;
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
    setCurrentDetails(describeDeviceUpdate(state, waiting));
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
