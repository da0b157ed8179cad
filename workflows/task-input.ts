import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { DeviceProtocol } from '../domain/device-update.js';
import { SEARCH_ATTRIBUTES, TASK_QUEUE, taskWorkflowId, type TaskKind } from '../domain/ids.js';
import type { UpdatePolicy } from '../domain/policy.js';
import type { Carried } from './device-update.js';

/** What every run of a task needs to know of the firmware; the file itself travels as a URL in the notification. */
export interface FirmwareInput {
  readonly id: string;
  readonly name: string;
  readonly module: string;
  readonly version: string;
}

/** What only the records know of a task: carried along, so that they can be rebuilt from the run's history. */
export interface TaskOrigin {
  readonly createdAtMs: number;
  readonly sourceVersions: readonly string[];
  readonly reinitiates: string | null;
  readonly startedBy?: string | null;
  readonly firmware: {
    readonly sizeBytes: number;
    readonly signMethod: 'MD5' | 'SHA256';
    readonly sign: string;
    readonly sha256: string;
    readonly createdAtMs: number;
    readonly verifiedAtMs: number | null;
    readonly signature?: string | null;
    readonly signatureKeyId?: string | null;
  };
}

/** The input of a `verification` or a `batchUpdate`. The devices are not in it: shards load theirs [design]. */
export interface TaskInput {
  readonly taskId: string;
  readonly kind: TaskKind;
  readonly productKey: string;
  readonly firmware: FirmwareInput;
  readonly policy: UpdatePolicy;
  readonly devicesTotal: number;
  readonly shardDevices: number;
  readonly unconfirmedStartsMax: number;
  /** Events after which a device's run goes on under a new run; absent in tasks of before it could. */
  readonly deviceRunEventsMax?: number;
  /** Absent in tasks of the first release. */
  readonly origin?: TaskOrigin;
  /** Nothing is sent before a second operator has approved it. */
  readonly approval?: { readonly startedBy: string | null; readonly timeoutMs: number };
}

export interface ShardInput extends TaskInput {
  /** From 0. */
  readonly shard: number;
  /** It lets the next shard begin with its last start. Shards of the first releases waited for the confirmation of it. */
  readonly overlapsNext?: true;
}

export interface DeviceUpdateInput {
  readonly taskId: string;
  readonly kind: TaskKind;
  readonly productKey: string;
  readonly deviceName: string;
  readonly protocol: DeviceProtocol;
  readonly attempt: number;
  readonly firmware: FirmwareInput;
  readonly policy: UpdatePolicy;
  /** Events of its history after which it goes on under a new run. */
  readonly eventsMax?: number;
  /** Of a run that goes on where another one has stopped. */
  readonly carried?: Carried;
}

/** What a task's run answers. */
export interface TaskResult extends OutcomeCounts {
  /** A second operator did not approve it. */
  readonly rejected?: true;
}

/** Device updates by their end. */
export interface OutcomeCounts {
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

export const NO_OUTCOMES: OutcomeCounts = { succeeded: 0, failed: 0, cancelled: 0 };

const KEYS = {
  productKey: defineSearchAttributeKey(SEARCH_ATTRIBUTES.productKey, 'KEYWORD'),
  taskId: defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskId, 'KEYWORD'),
  firmwareVersion: defineSearchAttributeKey(SEARCH_ATTRIBUTES.firmwareVersion, 'KEYWORD'),
  deviceName: defineSearchAttributeKey(SEARCH_ATTRIBUTES.deviceName, 'KEYWORD'),
};

/** By these, ops staff find a run in the Temporal UI. */
export function searchAttributes(
  input: Pick<TaskInput, 'productKey' | 'taskId' | 'firmware'>,
  deviceName?: string,
): SearchAttributePair[] {
  const pairs: SearchAttributePair[] = [
    { key: KEYS.productKey, value: input.productKey },
    { key: KEYS.taskId, value: input.taskId },
    { key: KEYS.firmwareVersion, value: input.firmware.version },
  ];
  return deviceName === undefined ? pairs : [...pairs, { key: KEYS.deviceName, value: deviceName }];
}

/** A cluster may bound a summary (400 bytes is the documented size; the dev server does not hold to it). */
const SUMMARY_CHARACTERS_MAX = 100;

export const summaryOf = (text: string): string => Array.from(text).slice(0, SUMMARY_CHARACTERS_MAX).join('');

/** What the run of a device update is called in the Temporal UI. */
export const runSummary = ({
  deviceName,
  attempt,
  firmware,
}: Pick<DeviceUpdateInput, 'deviceName' | 'attempt' | 'firmware'>): string =>
  summaryOf(`${deviceName}: attempt ${attempt}, ${firmware.name} ${firmware.version}`);

/** How a task's run is started: its workflow id is the business key, so that a second start is refused. */
export function taskRunOptions(input: TaskInput) {
  const { kind, firmware, productKey, devicesTotal } = input;
  const word = kind === 'batch' ? 'Batch update' : 'Verification';
  return {
    workflowId: taskWorkflowId(kind, input.taskId),
    taskQueue: TASK_QUEUE,
    args: [input] as [TaskInput],
    typedSearchAttributes: searchAttributes(input),
    staticSummary: summaryOf(`${word} of ${productKey} to ${firmware.version}: ${devicesTotal} device(s)`),
    staticDetails: `Firmware **${firmware.name}** ${firmware.version}, module ${firmware.module}. Task \`${input.taskId}\`.`,
  };
}
