import { sleep } from '@temporalio/workflow';
import { deviceUpdate as releasedDeviceUpdate, type DeviceUpdateResult } from '../../workflows/device-update.js';
import type { DeviceUpdateInput } from '../../workflows/task-input.js';

/* The same change, made against the rule: open runs can't be carried on by it. */

export { batchUpdate } from '../../workflows/batch-update.js';
export { shard } from '../../workflows/shard.js';
export { verification } from '../../workflows/verification.js';

export async function deviceUpdate(input: DeviceUpdateInput): Promise<DeviceUpdateResult> {
  await sleep('1 second');
  return releasedDeviceUpdate(input);
}
