import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { FailureCause } from '../domain/causes.js';
import type { DeviceUpdateState, RecordedProgress, WaitingFor } from '../domain/device-update.js';
import type { Approval } from '../domain/update-task.js';

/*
 * The messages of the workflows, defined once. Senders outside the workflows use the names below, so that no workflow
 * code enters their process. A report names its task: one that comes late can't touch the device's next update.
 */

/** What the signals of a device's doings have in common. */
export interface Report {
  readonly taskId: string;
  readonly atMs: number;
  /**
   * What the records saw of the device's progress until then: most percentages are told to nobody else. Absent when
   * there was none, and in histories of the first releases.
   */
  readonly progress?: RecordedProgress | undefined;
}

export interface ProgressSignal extends Report {
  /** 0 to 100 */
  readonly step: number;
}
export interface FailureSignal extends Report {
  readonly cause: FailureCause;
  /** What the device added, if anything. */
  readonly description: string;
}
export interface VersionSignal extends Report {
  readonly version: string;
}
/** The device can be notified: its connection and subscription are in place. */
export interface OnlineSignal extends Report {
  /** One connection is one reason to notify. Absent in histories of the first releases. */
  readonly connectionId?: string | undefined;
}
/** The device asked for its update and was answered: as good as a notification. */
export type FetchedSignal = Report;

export const progressSignal = defineSignal<[ProgressSignal]>('progress');
export const failureSignal = defineSignal<[FailureSignal]>('failure');
export const versionSignal = defineSignal<[VersionSignal]>('version');
export const onlineSignal = defineSignal<[OnlineSignal]>('online');
export const fetchedSignal = defineSignal<[FetchedSignal]>('fetched');

/** To a verification: an operator ends it early. */
export const endSignal = defineSignal('end');
/** To a batch that needs it: a second operator approves or rejects it. Refused for its creator. */
export const decideUpdate = defineUpdate<void, [Approval]>('decide');
/** From a shard to its batch: the starts of all its devices' runs are asked for, the next shard may begin. */
export const shardStartedSignal = defineSignal<[number]>('shardStarted');

/** A device's run as its parent can reach it. */
export interface ContinuedRun {
  readonly workflowId: string;
  readonly runId: string;
}
/** From a device's run to its parent: its history had become long, and it goes on under a new run. */
export const deviceRunContinuedSignal = defineSignal<[ContinuedRun]>('deviceRunContinued');

export interface DeviceUpdateView extends DeviceUpdateState {
  readonly waitingFor: WaitingFor | null;
}
export const stateQuery = defineQuery<DeviceUpdateView>('state');
