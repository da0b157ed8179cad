import { CancellationScope, setHandler } from '@temporalio/workflow';
import { runDevices } from './device-runs.js';
import { endSignal } from './messages.js';
import { loadDevices, runTask, sliceOf } from './task-run.js';
import type { TaskInput, TaskResult } from './task-input.js';

/**
 * Tries a firmware on a few devices. When it ends, by itself or by an operator, the firmware is verified, whatever the
 * results on the devices, provided that one of them was reached.
 */
export async function verification(input: TaskInput): Promise<TaskResult> {
  const devicesScope = new CancellationScope();
  setHandler(endSignal, () => devicesScope.cancel());
  return runTask(input, () =>
    devicesScope.run(async () => runDevices(input, await loadDevices(input, 0), sliceOf(input, 0))),
  );
}
