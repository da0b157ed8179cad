import { patched, sleep } from '@temporalio/workflow';
import { deviceUpdate as releasedDeviceUpdate, type DeviceUpdateResult } from '../../workflows/device-update.js';
import type { DeviceUpdateInput } from '../../workflows/task-input.js';

/* The next release, changed by the rule of docs/versioning.md: a device update begins with a pause, in new runs only. */

export { batchUpdate } from '../../workflows/batch-update.js';
export { shard } from '../../workflows/shard.js';
export { verification } from '../../workflows/verification.js';

export async function deviceUpdate(input: DeviceUpdateInput): Promise<DeviceUpdateResult> {
  if (patched('pause-before-the-first-notification')) await sleep('1 second');
  return releasedDeviceUpdate(input);
}
