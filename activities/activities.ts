import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import {
  cancelled,
  failed,
  notified,
  succeeded,
  terminated,
  unreachable,
  withheld,
  type DeviceUpdateState,
  type WithheldBy,
} from '../domain/device-update.js';
import { deviceUpdateWorkflowId, type DeviceKey } from '../domain/ids.js';
import { offerOf, type Offer } from '../domain/offer.js';
import { endTask } from '../records/cancel-waiting.js';
import type { DeviceUpdateRecord, OpenDeviceUpdate, Records, ReportedFailure } from '../records/records.js';
import type { DeviceRuns } from './device-runs.js';
import type { Publisher } from './publisher.js';

export interface ActivityDeps {
  readonly records: Pick<
    Records,
    | 'wholeDeviceUpdate'
    | 'recordDeviceUpdate'
    | 'giveOut'
    | 'takeBack'
    | 'endUnbegun'
    | 'taskBegun'
    | 'taskEnded'
    | 'loadShard'
    | 'openDeviceUpdate'
    | 'getTask'
    | 'cancelWaiting'
    | 'untoldRuns'
  >;
  readonly publisher: Publisher;
  readonly terminatedByEngine: TerminatedByEngine;
  readonly runs: DeviceRuns;
  /** Whether a firmware's stored file is what it should be (firmware/store.ts). */
  readonly isIntact: (sha256: string) => Promise<'intact' | 'corrupt' | 'missing'>;
}

/** Why the engine itself has terminated a run, as at the limit of its history; undefined if a person did, or nobody. */
export type TerminatedByEngine = (workflowId: string, runId: string | null) => Promise<string | undefined>;

/** One device in one task. */
export interface DeviceUpdateRef extends DeviceKey {
  readonly taskId: string;
}

/** What became of an attempt to notify a device. */
export type NotifyAnswer =
  /** The notification is on its way to a connected device. */
  | {
      readonly kind: 'sent';
      /** The connection that it went out on, where that is certain; absent in histories of the first releases. */
      readonly connectionId?: string | undefined;
    }
  /** Not connected, or not subscribed: nothing was sent. */
  | { readonly kind: 'unreachable' }
  /** The device runs the target version already: nothing was sent. */
  | { readonly kind: 'on-target' }
  /** The update does not fit the device: nothing was sent. */
  | { readonly kind: 'unfit'; readonly reason: string }
  /** The device has reported a failure that the run was not told of yet: nothing was sent. */
  | { readonly kind: 'failed'; readonly failure: ReportedFailure }
  /** The stored file can't be served: nothing was sent. It is sent when the file is well again. */
  | { readonly kind: 'file-damaged' }
  /** Its task sends nothing at present: nothing was sent. It is sent when the task goes on. */
  | { readonly kind: 'held'; readonly by: Exclude<WithheldBy, 'file-damaged'> }
  /** It is over, or an operator stops it or its task: nothing was sent, and nothing will be. */
  | { readonly kind: 'cancelled' };

/** How a device update ends that no run of its own can end. */
export type ForeignEnd =
  { readonly kind: 'busy' } | { readonly kind: 'terminated' } | { readonly kind: 'lost'; readonly reason: string };

/**
 * Who has a device whose run was refused: an update that goes on, one that is about to close, or none by now. `over`:
 * the update that waits for it has ended itself.
 */
export interface Held {
  readonly deviceName: string;
  readonly by: 'busy' | 'closing' | 'nobody' | 'over';
}

/** What the records know of a device in mid-update: a signal may have been lost, the record was not. */
export interface Sighting {
  readonly reachable: boolean;
  /** The version that the device last reported for the firmware's module. */
  readonly version: string | null;
  readonly step: number | null;
  readonly startedAtMs: number | null;
  readonly lastProgressAtMs: number | null;
  readonly hundredAtMs: number | null;
  readonly failure: ReportedFailure | null;
  /** The first report of the target version; absent in histories of the first releases. */
  readonly targetHeardAtMs?: number | null;
  /** Since when devices could reach Ferry without a break; in histories of older releases, but of the first. */
  readonly listeningSinceMs?: number;
  /** The same as a length of time: it is measured by one clock only. This and what follows: absent in older histories. */
  readonly listeningForMs?: number;
  /** Null while it is online. */
  readonly offlineSinceMs?: number | null;
  readonly lastDownloadAtMs?: number | null;
  /** Its task sends nothing at present, or the stored file can't be served: it can neither go on nor begin again. */
  readonly isWithheld?: boolean;
  readonly targetReportedAtMs?: number | null;
}

/** A device of a shard, as its run's input needs it; its place in the task is for a rebuild of the records. */
export type ShardDevice = Pick<DeviceUpdateRecord, 'deviceName' | 'protocol' | 'attempt'> &
  Partial<Pick<DeviceUpdateRecord, 'ordinal'>>;

/** Less than a third of the time after which the engine gives an activity up (workflows/proxies.ts). */
const HEARTBEAT_MS = 20_000;

/** Tells the engine while some long work goes on, also while it waits for its turn. */
async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  const { heartbeat } = Context.current();
  const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

/** Side effects of the workflows. Each can be repeated; none remembers anything between calls. */
export function createActivities({ records, publisher, terminatedByEngine, runs, isIntact }: ActivityDeps) {
  const load = async (ref: DeviceUpdateRef): Promise<OpenDeviceUpdate> => {
    const update = await records.wholeDeviceUpdate(ref.taskId, ref.deviceName);
    if (!update) {
      throw ApplicationFailure.nonRetryable(`No record of ${ref.deviceName} in task ${ref.taskId}`, 'record-missing');
    }
    return update;
  };

  /**
   * Answers the run of a device that may not be notified, and records that the run waits: so the device is told when what
   * holds it back is over, and its update can be cancelled meanwhile.
   */
  const refuse = async (
    ref: DeviceUpdateRef,
    offer: Exclude<Offer, { kind: 'given' }>,
    { runId, state }: Pick<RunAt, 'runId' | 'state'>,
  ): Promise<NotifyAnswer> => {
    if (offer.kind === 'held') await records.recordDeviceUpdate(ref.taskId, ref, withheld(state, offer.by), runId);
    if (offer.kind === 'revoked') await records.recordDeviceUpdate(ref.taskId, ref, unreachable(state), runId);
    return answerTo(offer);
  };

  return {
    /** The task's run has begun: its status becomes running, or awaiting-approval until it is approved. */
    async beginTask(taskId: string, runId: string, atMs: number): Promise<void> {
      await records.taskBegun(taskId, runId, atMs);
    },

    /** The task is over: its claims are released, a verification's firmware becomes verified. */
    async endTask(taskId: string, status: 'completed' | 'cancelled' | 'rejected', atMs: number): Promise<void> {
      await endTask(records, taskId, status, atMs);
    },

    /** Open device updates from one place of the task to another (the end excluded). */
    async loadShard(taskId: string, fromOrdinal: number, toOrdinal: number): Promise<ShardDevice[]> {
      const updates = await records.loadShard(taskId, fromOrdinal, toOrdinal);
      return updates.map(({ deviceName, protocol, attempt, ordinal }) => ({ deviceName, protocol, attempt, ordinal }));
    },

    /**
     * Notifies the device, if the update still fits it. The record says *notified* before the message leaves: a device
     * that answers at once must find its update begun.
     *
     * @param run the run's id, its state before the notification, and its time
     */
    async notifyDevice(ref: DeviceUpdateRef, { runId, state, atMs }: RunAt): Promise<NotifyAnswer> {
      const update = await load(ref);
      const offer = offerOf(update);
      if (offer.kind !== 'given') return refuse(ref, offer, { runId, state });
      // Tried before: it may have been recorded then, and not sent. Its run waits for the device from now on.
      const takeBack = () =>
        records.takeBack(ref.taskId, ref, { state: unreachable(state), runId, notifiedAtMs: atMs });
      if (!publisher.isReachable(ref)) {
        await takeBack();
        // It may have come online just before the record could tell the gateway that somebody waits for it.
        if (!publisher.isReachable(ref)) return { kind: 'unreachable' };
      }
      if ((await isIntact(update.firmware.sha256)) !== 'intact') {
        await records.recordDeviceUpdate(ref.taskId, ref, withheld(state, 'file-damaged'), runId);
        return { kind: 'file-damaged' };
      }
      // Asked again by the transaction that records it: the task may have been stopped meanwhile.
      const given = await records.giveOut(ref.taskId, ref, notified(state, atMs), runId);
      if (given.kind !== 'given') return refuse(ref, given, { runId, state });
      // The records took long, and another try is under way: it notifies, this one must not.
      Context.current().cancellationSignal.throwIfAborted();
      const onlineId = publisher.onlineId(ref);
      if (await publisher.notify(update)) {
        // Another connection may have taken over meanwhile.
        return publisher.onlineId(ref) === onlineId ? { kind: 'sent', connectionId: onlineId } : { kind: 'sent' };
      }
      await takeBack();
      return { kind: 'unreachable' };
    },

    /** Looks a device up whose time has run out: was there a report that the run was not told of? */
    async lookAtDevice(ref: DeviceUpdateRef): Promise<Sighting> {
      const update = await load(ref);
      const { step, startedAtMs, lastProgressAtMs, hundredAtMs, lastDownloadAtMs, targetReportedAtMs } = update.record;
      return {
        reachable: publisher.isReachable(ref),
        version: update.installedVersion,
        step,
        startedAtMs,
        lastProgressAtMs,
        hundredAtMs,
        failure: update.reportedFailure,
        targetHeardAtMs: update.targetHeardAtMs,
        listeningForMs: await publisher.listeningForMs(),
        offlineSinceMs: update.offlineSinceMs,
        lastDownloadAtMs,
        targetReportedAtMs,
        isWithheld: offerOf(update).kind === 'held' || (await isIntact(update.firmware.sha256)) !== 'intact',
      };
    },

    /**
     * Ends a device update whose run was refused, terminated or lost: there is always an outcome.
     *
     * @returns how it has ended; nothing in histories of older releases
     */
    async endDeviceUpdate(ref: DeviceUpdateRef, end: ForeignEnd, atMs: number): Promise<'failed' | 'cancelled' | void> {
      const { record } = await load(ref);
      const holder = end.kind === 'busy' ? await records.openDeviceUpdate(ref, null) : undefined;
      const reason = end.kind === 'terminated' ? await terminatedByEngine(record.workflowId, record.runId) : undefined;
      const state = endedBy(record, end, { atMs, holder: holder?.record.taskId, reason });
      const { status } = await records.recordDeviceUpdate(ref.taskId, ref, state, record.runId);
      return status === 'cancelled' ? 'cancelled' : 'failed';
    },

    /**
     * Closes the runs of some places of a task that is being stopped, as far as their devices were told nothing: the
     * records have ended them, so that no run needs to wake up for it. No local activity: it makes a request a run.
     *
     * @returns the devices whose runs are closed
     */
    async closeUntoldRuns(
      { taskId, productKey }: Pick<DeviceUpdateRef, 'taskId' | 'productKey'>,
      fromOrdinal: number,
      toOrdinal: number,
    ): Promise<string[]> {
      await records.cancelWaiting(taskId, { which: 'untold', fromOrdinal, toOrdinal, atMs: Date.now() });
      const untold = await records.untoldRuns(taskId, fromOrdinal, toOrdinal);
      const close = async ({ deviceName, runId }: (typeof untold)[number]) => {
        await runs.terminate(deviceUpdateWorkflowId({ productKey, deviceName }), runId);
        return deviceName;
      };
      return whileBeating(() => Promise.all(untold.map(close)));
    },

    /** Who has the devices whose runs the engine has refused. No local activity: it asks the engine for each. */
    async whoHolds(
      { taskId, productKey }: Pick<DeviceUpdateRef, 'taskId' | 'productKey'>,
      deviceNames: readonly string[],
    ): Promise<Held[]> {
      const ask = async (deviceName: string): Promise<Held> => {
        const own = await load({ taskId, productKey, deviceName });
        if (offerOf(own).kind === 'cancelled') {
          // It has no run that could record how it ended. One whose whole task is stopped ends with that.
          if (own.record.cancelRequestedAtMs !== null) {
            const ended = cancelled(own.record, Date.now(), 'An operator cancelled it.');
            await records.recordDeviceUpdate(taskId, own.record, ended, own.record.runId);
          }
          return { deviceName, by: 'over' };
        }
        const holder = await runs.holder(deviceUpdateWorkflowId({ productKey, deviceName }));
        if (holder === undefined) return { deviceName, by: 'nobody' };
        const other = await records.wholeDeviceUpdate(holder.taskId, deviceName);
        // A run of the same task is one that its broken shard has left: it is being cancelled.
        const isClosing = holder.taskId === taskId || !other || offerOf(other).kind === 'cancelled';
        return { deviceName, by: isClosing ? 'closing' : 'busy' };
      };
      return whileBeating(() => Promise.all(deviceNames.map(ask)));
    },

    /** Ends those device updates of a broken shard that never began, so that they can be re-initiated. */
    async endUnbegun(
      { taskId, productKey }: Pick<DeviceUpdateRef, 'taskId' | 'productKey'>,
      { fromOrdinal, toOrdinal, reason, atMs }: BrokenShard,
    ): Promise<void> {
      for (const record of await records.loadShard(taskId, fromOrdinal, toOrdinal)) {
        if (record.begunAtMs !== null) continue;
        const ref = { productKey, deviceName: record.deviceName };
        // Looked at once more by the write: a run on its way to its end may begin it meanwhile.
        await records.endUnbegun(taskId, ref, failed(record, 'update-failed', atMs, reason));
      }
    },

    /** Writes the run's state of a device update into the records. */
    async recordDeviceUpdate(ref: DeviceUpdateRef, state: DeviceUpdateState, runId: string | null): Promise<void> {
      const told = state.status === 'cancelled' ? cancelledAfterAll(await load(ref), state) : state;
      await records.recordDeviceUpdate(ref.taskId, ref, told, runId);
    },
  };
}

/** How an update ends whose run was cancelled: the run may not know what its device has reported, nor who cancelled it. */
function cancelledAfterAll(update: OpenDeviceUpdate, state: DeviceUpdateState): DeviceUpdateState {
  const { record, task, policy, reportedFailure, targetHeardAtMs } = update;
  const requestedAtMs = Math.min(record.cancelRequestedAtMs ?? Infinity, task.cancelRequestedAtMs ?? Infinity);
  // The device had reported how its update ended, and had its acknowledgement, before an operator cancelled the update.
  if (reportedFailure && reportedFailure.atMs < Math.min(requestedAtMs, targetHeardAtMs ?? Infinity)) {
    return failed(record, reportedFailure.cause, reportedFailure.atMs, reportedFailure.description);
  }
  if (policy.soakMs === 0 && targetHeardAtMs !== null && targetHeardAtMs < requestedAtMs) {
    return succeeded(record, targetHeardAtMs);
  }
  // The end of a broken shard cancels runs, and a person in the Temporal UI does.
  const isAsked = offerOf(update).kind === 'cancelled';
  return isAsked ? state : { ...state, detail: 'Its run was cancelled in Temporal.' };
}

function answerTo(offer: Exclude<Offer, { kind: 'given' }>): NotifyAnswer {
  // A revoked device is not connected; it may be restored within the update's time.
  if (offer.kind === 'revoked') return { kind: 'unreachable' };
  if (offer.kind !== 'held') return offer;
  return offer.by === 'file-damaged' ? { kind: offer.by } : { kind: 'held', by: offer.by };
}

/** The places of a shard whose run broke twice, and why its devices never began. */
export interface BrokenShard {
  readonly fromOrdinal: number;
  /** Excluded. */
  readonly toOrdinal: number;
  readonly reason: string;
  readonly atMs: number;
}

/** A run's id, state and time, as it calls an activity. */
export interface RunAt {
  readonly runId: string;
  readonly state: DeviceUpdateState;
  readonly atMs: number;
}

export type Activities = ReturnType<typeof createActivities>;

function endedBy(
  record: DeviceUpdateRecord,
  end: ForeignEnd,
  { atMs, holder, reason }: { atMs: number; holder: string | undefined; reason: string | undefined },
): DeviceUpdateState {
  switch (end.kind) {
    case 'busy':
      return failed(record, 'device-busy', atMs, holder === undefined ? '' : `It is still open in task ${holder}.`);
    case 'terminated':
      return terminated(record, atMs, reason);
    case 'lost':
      return failed(record, 'update-failed', atMs, `Its run ended unexpectedly: ${end.reason}`);
  }
}
