import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { FailureCause } from '../domain/causes.js';
import type { DeviceUpdateState, WaitingFor } from '../domain/device-update.js';
import type { Approval } from '../domain/update-task.js';

/*
 * The messages of the workflows, defined once. Senders outside the workflows use the names below, so that no workflow
 * code enters their process. A report names its task: one that comes late can't touch the device's next update.
 */

export interface ProgressSignal {
  readonly taskId: string;
  /** 0 to 100 */
  readonly step: number;
  readonly atMs: number;
}
export interface FailureSignal {
  readonly taskId: string;
  readonly cause: FailureCause;
  /** What the device added, if anything. */
  readonly description: string;
  readonly atMs: number;
}
export interface VersionSignal {
  readonly taskId: string;
  readonly version: string;
  readonly atMs: number;
}
/** The device can be notified: its connection and subscription are in place. */
export interface OnlineSignal {
  readonly taskId: string;
  readonly atMs: number;
}
/** The device asked for its update and was answered: as good as a notification. */
export interface FetchedSignal {
  readonly taskId: string;
  readonly atMs: number;
}

export const progressSignal = defineSignal<[ProgressSignal]>('progress');
export const failureSignal = defineSignal<[FailureSignal]>('failure');
export const versionSignal = defineSignal<[VersionSignal]>('version');
export const onlineSignal = defineSignal<[OnlineSignal]>('online');
export const fetchedSignal = defineSignal<[FetchedSignal]>('fetched');

/** To a verification: an operator ends it early. */
export const endSignal = defineSignal('end');
/** To a batch that needs it: a second operator approves or rejects it. Refused for its creator. */
export const decideUpdate = defineUpdate<void, [Approval]>('decide');
/** From a shard to its batch: all its devices' runs are started, the next shard may begin. */
export const shardStartedSignal = defineSignal<[number]>('shardStarted');

export interface DeviceUpdateView extends DeviceUpdateState {
  readonly waitingFor: WaitingFor | null;
}
export const stateQuery = defineQuery<DeviceUpdateView>('state');
