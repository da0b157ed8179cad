import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TaskRecord } from '../../records/records.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS, startWorld, type World } from './world.js';

/* An outage of ours, or a damaged file, must not become a device's failure. */

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const DEVICE = 'lamp-1';
let task: TaskRecord;
const ended = async () => {
  await world
    .run(DEVICE)
    .result()
    .catch(() => undefined);
  return world.records.getDeviceUpdate(task.id, DEVICE);
};

describe('a time limit that passes while Ferry is away', () => {
  beforeEach(async () => {
    await world.seed([DEVICE]);
    task = await world.verify([DEVICE], { stallTimeoutMs: 30 * MINUTE_MS, confirmationTimeoutMs: 15 * MINUTE_MS });
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
  });

  it('leaves a device five minutes to come back before it counts as stalled', async () => {
    await world.reportProgress(task, DEVICE, 10);
    const { lastProgressAtMs } = await world.until(task, DEVICE, ({ step }) => step === 10);
    const backMs = (lastProgressAtMs ?? 0) + 29 * MINUTE_MS;
    world.devices.listening = backMs;
    const record = await ended();
    expect(record).toMatchObject({ outcome: 'failed', cause: 'stalled' });
    expect(record?.endedAtMs).toBeGreaterThanOrEqual(backMs + 5 * MINUTE_MS);
    expect(record?.endedAtMs).toBeLessThan(backMs + 6 * MINUTE_MS);
  });

  it('leaves a device that was rebooting the time to report its new version', async () => {
    await world.reportProgress(task, DEVICE, 100);
    const { hundredAtMs } = await world.until(task, DEVICE, ({ step }) => step === 100);
    world.devices.listening = (hundredAtMs ?? 0) + 15 * MINUTE_MS;
    await world.env.sleep(15 * MINUTE_MS + 30 * SECOND_MS);
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({ status: 'upgrading' });
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('the offline time limit', () => {
  it('does not fail a device that is online, only because its run was not told: it is notified then', async () => {
    await world.seed([DEVICE]);
    world.devices.online.clear();
    task = await world.verify([DEVICE], { offlineTimeoutMs: 60 * MINUTE_MS });
    await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    world.devices.online.add(DEVICE);
    await world.env.sleep(61 * MINUTE_MS);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded', notifications: 1 });
  });
});

describe('activities that keep failing', () => {
  it('of more runs than a worker has slots hold up nobody else, nor the cancellation of their own task', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `broken-${n}`);
    for (const name of names) world.devices.failing.add(name);
    await world.seed(names);
    const broken = await world.verify(names);
    while (world.devices.failed.size < 36) await new Promise((resolve) => setTimeout(resolve, 10));

    await world.seed([DEVICE]);
    task = await world.verify([DEVICE]);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });

    await world.taskRun(broken).cancel();
    world.devices.failing.clear();
    await world
      .taskRun(broken)
      .result()
      .catch(() => undefined);
    expect((await world.records.getTask(broken.id))?.counts).toMatchObject({ cancelled: 100 });
  });
});

describe('a notification that could not be sent for long', () => {
  it('leaves its device the whole response time, from the sending on', async () => {
    await world.seed([DEVICE]);
    world.devices.failing.add(DEVICE);
    task = await world.verify([DEVICE], { responseTimeoutMs: 5 * MINUTE_MS, notificationsMax: 1 });
    await world.untilTimer(DEVICE);
    await world.env.sleep(10 * MINUTE_MS);
    world.devices.failing.clear();
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.env.sleep(4 * MINUTE_MS);
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({ status: 'notified', silences: 0 });
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded', notifications: 1 });
  });
});

describe('a damaged firmware file', () => {
  it('is no concern of a device that is offline anyway', async () => {
    await world.seed([DEVICE]);
    world.devices.online.clear();
    world.devices.file = 'corrupt';
    task = await world.verify([DEVICE]);
    const waiting = await world.until(task, DEVICE, ({ begunAtMs }) => begunAtMs !== null);
    expect(waiting).toMatchObject({ status: 'pending', detail: null });
  });

  it('holds the notification back, with the reason, until the file is well again', async () => {
    await world.seed([DEVICE]);
    world.devices.file = 'corrupt';
    task = await world.verify([DEVICE]);
    const held = await world.until(task, DEVICE, ({ detail }) => detail !== null);
    expect(held).toMatchObject({ status: 'pending', notifications: 0 });
    expect(held.detail).toContain('Add the same file again');
    world.devices.file = 'intact';
    await world.comesOnline(task, DEVICE);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded', detail: null, notifications: 1 });
  });

  it('is tried once more at the limit of a device that nobody has told of the repair', async () => {
    await world.seed([DEVICE]);
    world.devices.file = 'corrupt';
    task = await world.verify([DEVICE], { offlineTimeoutMs: 60 * MINUTE_MS });
    await world.until(task, DEVICE, ({ detail }) => detail !== null);
    world.devices.file = 'intact';
    await world.env.sleep(61 * MINUTE_MS);
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });
  });

  it('that stays damaged is the cause that is told, and not that the device was offline', async () => {
    await world.seed([DEVICE]);
    world.devices.file = 'corrupt';
    task = await world.verify([DEVICE], { offlineTimeoutMs: 60 * MINUTE_MS });
    await world.until(task, DEVICE, ({ detail }) => detail !== null);
    const record = await ended();
    expect(record).toMatchObject({ outcome: 'failed', cause: 'update-failed' });
    expect(record?.detail).toContain('held back: The stored firmware file is damaged');
  });

  it('fails no device in mid-update that can not get it: it is notified again when the file is well', async () => {
    await world.seed([DEVICE]);
    task = await world.verify([DEVICE], { stallTimeoutMs: 30 * MINUTE_MS, overallTimeoutMs: 24 * HOUR_MS });
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportProgress(task, DEVICE, 40);
    world.devices.file = 'corrupt';
    await world.env.sleep(100 * MINUTE_MS);
    expect(await world.records.getDeviceUpdate(task.id, DEVICE)).toMatchObject({ status: 'upgrading', outcome: null });
    world.devices.file = 'intact';
    await world.env.sleep(31 * MINUTE_MS);
    await world.until(task, DEVICE, ({ notifications }) => notifications === 2);
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });
  });

  it('fails a device in mid-update as stalled when it is silent although the file is well again', async () => {
    await world.seed([DEVICE]);
    task = await world.verify([DEVICE], { stallTimeoutMs: 30 * MINUTE_MS, overallTimeoutMs: 24 * HOUR_MS });
    await world.until(task, DEVICE, ({ status }) => status === 'notified');
    await world.reportProgress(task, DEVICE, 40);
    world.devices.file = 'corrupt';
    await world.env.sleep(40 * MINUTE_MS);
    world.devices.file = 'intact';
    expect(await ended()).toMatchObject({ outcome: 'failed', cause: 'stalled', notifications: 2 });
  });
});
