import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ShardDevice } from '../../activities/activities.js';
import { TASK_QUEUE } from '../../domain/ids.js';
import type { TaskInput } from '../../workflows/task-input.js';
import type { addedLate } from './added-late.js';
import { startWorld, type World } from './world.js';

/** The loop ends within far fewer. */
const TURNS_MAX = 8;

let world: World;
let bundle: { code: string };
beforeAll(async () => {
  [world, bundle] = await Promise.all([
    startWorld(),
    bundleWorkflowCode({
      workflowsPath: join(import.meta.dirname, 'added-late.ts'),
      logger: new DefaultLogger('ERROR'),
    }),
  ]);
});
afterAll(() => world.stop());

describe('devices that wait for their former updates to close', () => {
  it('are all waited for, at whatever moment one is added', async () => {
    const names = ['lamp-0', 'lamp-1'];
    await world.seed(names);
    const task = await world.verify(names);
    for (const name of names) {
      await world.until(task, name, ({ status }) => status === 'notified');
      await world.reportVersion(task, name, '2.0.0');
    }
    await world.taskRun(task).result();
    await world.deploy({ code: bundle.code });

    // Their updates are over, which ends the wait for each with the first answer.
    const input: TaskInput = {
      ...{ taskId: task.id, kind: task.kind, productKey: world.productKey, firmware: task.firmware },
      ...{ policy: task.policy, devicesTotal: 2, shardDevices: 2, unconfirmedStartsMax: 2 },
    };
    const device = (deviceName: string): ShardDevice => ({ deviceName, protocol: 'mqtt', attempt: 1 });
    const waitedFor = await world.env.client.workflow.execute<typeof addedLate>('addedLate', {
      ...{ taskQueue: TASK_QUEUE, workflowId: 'added-late' },
      args: [input, [device('lamp-0'), device('lamp-1')], TURNS_MAX],
    });
    expect(waitedFor).toEqual(Array.from({ length: TURNS_MAX + 1 }, () => 2));
  });
});
