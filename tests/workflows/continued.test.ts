import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../domain/ids.js';
import type { TaskRecord } from '../../records/records.js';
import { stateQuery } from '../../workflows/messages.js';
import { HOUR_MS, SECOND_MS, startRealTimeWorld, startWorld, type World } from './world.js';

/* A device's run goes on under a new run before its history is long. */

const DEVICE = 'lamp-1';
const EVENTS_MAX = 100;

/** The runs of one device update, the latest first, each with how many events it has. */
async function chainOf(world: World, deviceName = DEVICE): Promise<number[]> {
  const lengths: number[] = [];
  let { runId } = await world.run(deviceName).describe();
  for (let next: string | undefined = runId; next !== undefined;) {
    runId = next;
    const handle = world.env.client.workflow.getHandle(world.run(deviceName).workflowId, runId);
    const { events } = await handle.fetchHistory();
    lengths.push(events?.length ?? 0);
    next = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
  }
  return lengths;
}

describe('a device update whose history grows', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    world.deviceRunEventsMax = EVENTS_MAX;
  });
  afterAll(() => world.stop());

  it('by a device that wakes every hour and does not react goes on under new runs, and ends as it should', async () => {
    await world.seed([DEVICE]);
    world.devices.online.clear();
    const task = await world.batch({ offlineTimeoutMs: 366 * 24 * HOUR_MS });
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    const wakeUps = 40;
    for (let n = 1; n <= wakeUps; n++) {
      await world.comesOnline(task, DEVICE);
      await world.until(task, DEVICE, ({ notifications }) => notifications === n);
      world.devices.online.clear();
      await world.env.sleep(HOUR_MS);
    }
    const runs = await chainOf(world);
    expect(runs.length).toBeGreaterThan(3);
    expect(Math.max(...runs)).toBeLessThan(EVENTS_MAX + 30);
    const record = await world.records.getDeviceUpdate(task.id, DEVICE);
    expect(record).toMatchObject({ notifications: wakeUps, runId: (await world.run(DEVICE).describe()).runId });
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({
      begunAtMs: record?.begunAtMs,
      status: 'pending',
    });

    await world.comesOnline(task, DEVICE);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await world.taskRun(task).result()).toEqual({ succeeded: 1, failed: 0, cancelled: 0 });
  });

  it('by a stall time that is short for its overall time does so too', async () => {
    await world.seed([DEVICE]);
    const task = await world.verify([DEVICE], { stallTimeoutMs: 60 * SECOND_MS, overallTimeoutMs: 90 * 24 * HOUR_MS });
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportProgress(task, DEVICE, 1);
    for (let n = 0; n < 60; n++) {
      await world.env.sleep(50 * SECOND_MS);
      await world.recordProgress(DEVICE, 2);
    }
    const runs = await chainOf(world);
    expect(runs.length).toBeGreaterThan(2);
    expect(Math.max(...runs)).toBeLessThan(EVENTS_MAX + 30);
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'upgrading', step: 2 });
    await world
      .run(DEVICE)
      .result()
      .catch(() => undefined);
    const ended = await world.records.getDeviceUpdate(task.id, DEVICE);
    expect(ended).toMatchObject({ cause: 'stalled', step: 2, notifications: 1 });
  });
});

describe('a device update that goes on under a new run, on Temporal’s server', () => {
  let world: World;
  beforeAll(async () => {
    world = await startRealTimeWorld();
    world.deviceRunEventsMax = 40;
  });
  afterAll(() => world.stop());

  /** Wakes the device until its update has had three runs at least. */
  const goOn = async (task: TaskRecord, deviceName = DEVICE) => {
    for (let n = 1; (await chainOf(world, deviceName)).length < 3; n++) {
      await world.comesOnline(task, deviceName);
      await world.until(task, deviceName, ({ notifications }) => notifications > n);
    }
  };
  const begin = async (start: () => Promise<TaskRecord>) => {
    await world.seed([DEVICE]);
    const task = await start();
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await goOn(task);
    return task;
  };

  it('keeps its parent and its search attributes, says whose it is, and its parent learns its outcome', async () => {
    const task = await begin(() => world.batch());
    const now = await world.run(DEVICE).describe();
    const text = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
    expect(now.typedSearchAttributes.get(text(SEARCH_ATTRIBUTES.taskId))).toBe(task.id);
    expect(now.typedSearchAttributes.get(text(SEARCH_ATTRIBUTES.deviceName))).toBe(DEVICE);
    expect(now.parentExecution?.workflowId).toBe(`batch/${task.id}/shard-0`);
    const { currentDetails } = await world
      .run(DEVICE)
      .query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain(`${DEVICE}: attempt 1, lamp 2.0.0`);
    await world.until(task, DEVICE, ({ runId }) => runId === now.runId);
    await world.reportFailure(task, DEVICE, 'download-failed');
    expect(await world.taskRun(task).result()).toEqual({ succeeded: 0, failed: 1, cancelled: 0 });
  });

  it.each([
    ['batch', () => world.batch()],
    ['verification', () => world.verify([DEVICE])],
  ])('is cancelled with its %s', async (_kind, start) => {
    const task = await begin(start);
    await world.taskRun(task).cancel();
    await world.untilTask(task, ({ status }) => status === 'cancelled');
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({ status: 'cancelled' });
    expect((await world.run(DEVICE).describe()).status.name).toBe('CANCELLED');
  });

  it('is cancelled when its parent is terminated', async () => {
    const task = await begin(() => world.verify([DEVICE]));
    await world.taskRun(task).terminate();
    await world.until(task, DEVICE, ({ status }) => status === 'cancelled');
  });

  it('loses none of the messages that come at the same moment', async () => {
    await world.seed([DEVICE]);
    const task = await world.verify([DEVICE], { notificationsMax: 20 });
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    for (let n = 0; n < 40; n++) {
      await Promise.all([world.comesOnline(task, DEVICE), world.comesOnline(task, DEVICE)]);
    }
    await world.reportProgress(task, DEVICE, 30);
    await world.until(task, DEVICE, ({ step }) => step === 30);
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await world.run(DEVICE).result()).toMatchObject({ outcome: 'succeeded' });
    expect((await chainOf(world)).length).toBeGreaterThan(2);
  });
});
