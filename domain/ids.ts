/** Identity is the lock: a run's workflow id is its business key [design]. */

export interface DeviceKey {
  readonly productKey: string;
  readonly deviceName: string;
}

export type TaskKind = 'verification' | 'batch';

/** The one task queue of Ferry's workers. */
export const TASK_QUEUE = 'ferry';

export const taskWorkflowId = (kind: TaskKind, taskId: string): string => `${kind}/${taskId}`;
export const shardWorkflowId = (taskId: string, shard: number): string => `batch/${taskId}/shard-${shard}`;
/** One device has at most one running update: the server refuses a second run of this id [seed: batch update]. */
export const deviceUpdateWorkflowId = ({ productKey, deviceName }: DeviceKey): string =>
  `device-update/${productKey}/${deviceName}`;

/** Search attributes of every run (all of type Keyword), by which ops staff find runs in the Temporal UI. */
export const SEARCH_ATTRIBUTES = {
  productKey: 'FerryProductKey',
  taskId: 'FerryTaskId',
  firmwareVersion: 'FerryFirmwareVersion',
  deviceName: 'FerryDeviceName',
} as const;
