import type { ShardDevice } from '../../activities/activities.js';
import { heldDevices } from '../../workflows/device-runs.js';
import type { TaskInput } from '../../workflows/task-input.js';

export { batchUpdate, deviceUpdate, shard, verification } from '../../workflows/index.js';

/**
 * Adds the second of two devices so many turns of the queue of promises after the first one's wait is over, for each
 * number of turns from 0 on: one of them is when the loop has found its list empty and has not ended yet.
 *
 * @returns for each number of turns, how many devices were waited for to their end
 */
export async function addedLate(
  input: TaskInput,
  [first, second]: readonly [ShardDevice, ShardDevice],
  turnsMax: number,
): Promise<number[]> {
  const waitedFor: number[] = [];
  for (let turns = 0; turns <= turnsMax; turns++) {
    let ends = 0;
    let adding: Promise<void> | undefined;
    const held = heldDevices(input, {
      start: async () => 'held',
      follow: () => undefined,
      count: () => {
        ends++;
        adding ??= after(turns).then(() => held.add(second));
      },
    });
    held.add(first);
    await held.done();
    await adding;
    await held.done();
    waitedFor.push(ends);
  }
  return waitedFor;
}

async function after(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}
