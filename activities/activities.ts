import { ApplicationFailure } from '@temporalio/common';
import { failed, isOpen, notified, terminated, withheld, type DeviceUpdateState } from '../domain/device-update.js';
import type { DeviceKey } from '../domain/ids.js';
import { misfit } from '../domain/fitness.js';
import type { DeviceUpdateRecord, OpenDeviceUpdate, Records, ReportedFailure } from '../records/records.js';
import type { Publisher } from './publisher.js';

export interface ActivityDeps {
  readonly records: Pick<
    Records,
    | 'installedVersion'
    | 'wholeDeviceUpdate'
    | 'recordDeviceUpdate'
    | 'taskBegun'
    | 'taskEnded'
    | 'loadShard'
    | 'openDeviceUpdate'
  >;
  readonly publisher: Publisher;
  readonly terminatedByEngine: TerminatedByEngine;
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
  /** An operator cancelled it before it began. */
  | { readonly kind: 'cancelled' };

/** How a device update ends that no run of its own can end. */
export type ForeignEnd =
  { readonly kind: 'busy' } | { readonly kind: 'terminated' } | { readonly kind: 'lost'; readonly reason: string };

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
  readonly targetReportedAtMs?: number | null;
}

/** A device of a shard, as its run's input needs it; its place in the task is for a rebuild of the records. */
export type ShardDevice = Pick<DeviceUpdateRecord, 'deviceName' | 'protocol' | 'attempt'> &
  Partial<Pick<DeviceUpdateRecord, 'ordinal'>>;

/** Side effects of the workflows. Each can be repeated; none remembers anything between calls. */
export function createActivities({ records, publisher, terminatedByEngine, isIntact }: ActivityDeps) {
  const load = async (ref: DeviceUpdateRef): Promise<OpenDeviceUpdate> => {
    const update = await records.wholeDeviceUpdate(ref.taskId, ref.deviceName);
    if (!update) {
      throw ApplicationFailure.nonRetryable(`No record of ${ref.deviceName} in task ${ref.taskId}`, 'record-missing');
    }
    return update;
  };

  const installed = ({ record, firmware }: OpenDeviceUpdate) => records.installedVersion(record, firmware.module);

  return {
    /** The task's run has begun: its status becomes running, or awaiting-approval until it is approved. */
    async beginTask(taskId: string, runId: string, atMs: number): Promise<void> {
      await records.taskBegun(taskId, runId, atMs);
    },

    /** The task is over: its claims are released, a verification's firmware becomes verified. */
    async endTask(taskId: string, status: 'completed' | 'cancelled' | 'rejected', atMs: number): Promise<void> {
      await records.taskEnded(taskId, status, atMs);
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
      if (update.record.cancelRequestedAtMs !== null || !isOpen(update.record.status)) return { kind: 'cancelled' };
      if (update.reportedFailure) return { kind: 'failed', failure: update.reportedFailure };
      const current = await installed(update);
      if (current?.version === update.firmware.version) return { kind: 'on-target' };
      const reason =
        state.status === 'upgrading'
          ? undefined
          : misfit({ ...update, targetVersion: update.firmware.version }, current?.version);
      if (reason !== undefined) return { kind: 'unfit', reason };
      const record = (now: DeviceUpdateState) => records.recordDeviceUpdate(ref.taskId, ref, now, runId);
      if (!publisher.isReachable(ref)) {
        await record(state);
        // It may have come online just before the record could tell the gateway that somebody waits for it.
        if (!publisher.isReachable(ref)) return { kind: 'unreachable' };
      }
      if ((await isIntact(update.firmware.sha256)) !== 'intact') {
        await record(withheld(state));
        return { kind: 'file-damaged' };
      }
      await record(notified(state, atMs));
      const onlineId = publisher.onlineId(ref);
      if (await publisher.notify(update)) {
        // Another connection may have taken over meanwhile.
        return publisher.onlineId(ref) === onlineId ? { kind: 'sent', connectionId: onlineId } : { kind: 'sent' };
      }
      await record(state);
      return { kind: 'unreachable' };
    },

    /** Looks a device up whose time has run out: was there a report that the run was not told of? */
    async lookAtDevice(ref: DeviceUpdateRef): Promise<Sighting> {
      const update = await load(ref);
      const current = await installed(update);
      const { step, startedAtMs, lastProgressAtMs, hundredAtMs, lastDownloadAtMs, targetReportedAtMs } = update.record;
      return {
        reachable: publisher.isReachable(ref),
        version: current?.version ?? null,
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

    /** Writes the run's state of a device update into the records. */
    async recordDeviceUpdate(ref: DeviceUpdateRef, state: DeviceUpdateState, runId: string | null): Promise<void> {
      await records.recordDeviceUpdate(ref.taskId, ref, state, runId);
    },
  };
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
