import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitingFor } from '../../domain/device-update.js';
import type { UpdatePolicy } from '../../domain/policy.js';
import type { TaskRecord } from '../../records/records.js';
import { onlineSignal, stateQuery } from '../../workflows/messages.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS, startWorld, type World } from './world.js';

/* What the clocks of a device update know: that its device is offline, that it downloads, and whose clock told a time. */

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const DEVICE = 'lamp-1';
let task: TaskRecord;

const begin = async (policy: Partial<UpdatePolicy> = {}) => {
  await world.seed([DEVICE]);
  task = await world.verify([DEVICE], policy);
  await world.until(task, DEVICE, ({ status }) => status === 'notified');
};
const upgrading = async (step: number, policy: Partial<UpdatePolicy> = {}) => {
  await begin(policy);
  await world.reportProgress(task, DEVICE, step);
  await world.until(task, DEVICE, ({ status }) => status === 'upgrading');
};
const leaves = async (afterMs = 0) => {
  world.devices.online.delete(DEVICE);
  await world.env.sleep(afterMs);
};
const waiting = async () => (await world.run(DEVICE).query(stateQuery)).waitingFor;
const ended = async () => {
  await world
    .run(DEVICE)
    .result()
    .catch(() => undefined);
  const record = await world.records.getDeviceUpdate(task.id, DEVICE);
  if (!record) throw new Error('There is a record');
  return record;
};

describe('a device that leaves in mid-update', () => {
  it('waits in a state of its own, told in the same words everywhere, until the overall time', async () => {
    await upgrading(40);
    const { startedAtMs, lastProgressAtMs } = await world.until(task, DEVICE, ({ step }) => step === 40);
    await leaves(3 * HOUR_MS);
    const asked = await waiting();
    expect(asked).toMatchObject({ what: 'return', untilMs: (startedAtMs ?? 0) + 24 * HOUR_MS });
    expect(asked?.sinceMs).toBeGreaterThanOrEqual(lastProgressAtMs ?? 0);
    expect(asked?.sinceMs).toBeLessThan((lastProgressAtMs ?? 0) + MINUTE_MS);
    expect(asked?.text).toMatch(
      /^offline in mid-update since \S+; goes on when it is back; fails as offline-expired on \S+$/,
    );
    const record = await world.records.getDeviceUpdate(task.id, DEVICE);
    expect(record && waitingFor(record, task.policy, record.protocol, record.createdAtMs)).toEqual(asked);
    const details = await world.run(DEVICE).query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(details.currentDetails).toContain(asked?.text);

    const end = await ended();
    expect(end).toMatchObject({ outcome: 'failed', cause: 'offline-expired' });
    expect(end.detail).toContain('at step 40');
    expect(Math.round(((end.endedAtMs ?? 0) - (end.startedAtMs ?? 0)) / HOUR_MS)).toBe(24);
  });

  it('goes on when it is back, and its stall time begins anew', async () => {
    await upgrading(40);
    await leaves(5 * HOUR_MS);
    await world.comesOnline(task, DEVICE);
    const backAtMs = await world.env.currentTimeMs();
    await world.env.sleep(25 * MINUTE_MS);
    expect(await waiting()).toMatchObject({ what: 'progress' });
    await world.reportProgress(task, DEVICE, 60);
    await world.reportVersion(task, DEVICE, '2.0.0');
    const end = await ended();
    expect(end).toMatchObject({ outcome: 'succeeded', step: 60 });
    expect(end.backAtMs).toBeGreaterThanOrEqual(backAtMs - MINUTE_MS);
  });

  it('counts as stalled when it is back and reports nothing for the stall time', async () => {
    await upgrading(40);
    await leaves(5 * HOUR_MS);
    await world.comesOnline(task, DEVICE);
    const backAtMs = await world.env.currentTimeMs();
    const end = await ended();
    expect(end).toMatchObject({ outcome: 'failed', cause: 'stalled' });
    expect(Math.round(((end.endedAtMs ?? 0) - backAtMs) / MINUTE_MS)).toBe(30);
  });

  it('is waited for no longer than the task says', async () => {
    await upgrading(40, { offlineMidUpdateMs: 2 * HOUR_MS });
    await leaves();
    const end = await ended();
    expect(end).toMatchObject({ outcome: 'failed', cause: 'offline-expired' });
    expect(Math.round(((end.endedAtMs ?? 0) - (end.lastProgressAtMs ?? 0)) / MINUTE_MS)).toBe(120);
  });

  it('is not waited for when the task says so', async () => {
    await upgrading(40, { offlineMidUpdateMs: 0 });
    await leaves();
    const end = await ended();
    expect(end).toMatchObject({ outcome: 'failed', cause: 'stalled' });
    expect(Math.round(((end.endedAtMs ?? 0) - (end.lastProgressAtMs ?? 0)) / MINUTE_MS)).toBe(30);
  });

  it('has as much time to report the new version as one that stays, from its return on', async () => {
    await upgrading(100);
    await leaves(4 * HOUR_MS);
    expect(await waiting()).toMatchObject({
      what: 'return',
      then: expect.stringContaining('version-unconfirmed') as string,
    });
    await world.comesOnline(task, DEVICE);
    await world.env.sleep(10 * MINUTE_MS);
    expect(await waiting()).toMatchObject({ what: 'confirmation' });
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });
  });

  it('fails as version-unconfirmed when it reported step 100 and never came back', async () => {
    await upgrading(100);
    await leaves();
    const end = await ended();
    expect(end).toMatchObject({ outcome: 'failed', cause: 'version-unconfirmed' });
    expect(Math.round(((end.endedAtMs ?? 0) - (end.startedAtMs ?? 0)) / HOUR_MS)).toBe(24);
  });

  it('is notified again when it is back although nobody told its run', async () => {
    await upgrading(40, { offlineMidUpdateMs: 2 * HOUR_MS });
    await leaves(HOUR_MS);
    world.devices.online.add(DEVICE);
    await world.env.sleep(HOUR_MS + MINUTE_MS);
    await world.until(task, DEVICE, ({ notifications }) => notifications === 2);
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });
  });

  it('has its response time after it was notified again, when it comes back just before its time is up', async () => {
    await upgrading(40);
    await leaves(29 * MINUTE_MS + 50 * SECOND_MS);
    await world.comesOnline(task, DEVICE);
    const { notifiedAtMs } = await world.until(task, DEVICE, ({ notifications }) => notifications === 2);
    const end = await ended();
    expect(end).toMatchObject({ cause: 'stalled' });
    expect(Math.round(((end.endedAtMs ?? 0) - (notifiedAtMs ?? 0)) / MINUTE_MS)).toBe(5);
  });

  it('can be cancelled while it is away', async () => {
    await upgrading(40);
    await leaves(HOUR_MS);
    await world.run(DEVICE).cancel();
    expect(await ended()).toMatchObject({ status: 'cancelled' });
  });
});

describe('a download', () => {
  const downloads = async () => {
    const record = await world.records.getDeviceUpdate(task.id, DEVICE);
    await world.records.downloading(record?.id ?? 0, await world.env.currentTimeMs());
  };

  it('keeps a device alive that reports nothing but step 100, and is no progress', async () => {
    await begin();
    for (let minutes = 0; minutes < 90; minutes += 2) {
      await world.env.sleep(2 * MINUTE_MS);
      await downloads();
    }
    const view = await world.run(DEVICE).query(stateQuery);
    expect(view).toMatchObject({ status: 'notified', startedAtMs: null, notifications: 1 });
    expect(view.waitingFor?.text).toMatch(/^downloading, at the latest on \S+, but silent since its notification/);
    await world.reportProgress(task, DEVICE, 100);
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded', notifications: 1 });
  });

  it('postpones the stall time of a device in mid-update', async () => {
    await upgrading(10);
    for (let minutes = 0; minutes < 60; minutes += 10) {
      await world.env.sleep(10 * MINUTE_MS);
      await downloads();
    }
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'upgrading', step: 10 });
    const last = await world.env.currentTimeMs();
    const end = await ended();
    expect(end).toMatchObject({ cause: 'stalled', step: 10 });
    expect(Math.round(((end.endedAtMs ?? 0) - last) / MINUTE_MS)).toBe(30);
  });

  it('without an end does not keep a device that never reports from failing', async () => {
    await begin({ overallTimeoutMs: 20 * MINUTE_MS, notificationsMax: 1 });
    for (let minutes = 0; minutes < 24; minutes += 2) {
      await world.env.sleep(2 * MINUTE_MS);
      await downloads();
    }
    expect(await ended()).toMatchObject({ outcome: 'failed', cause: 'no-response' });
  });
});

describe('the soak time', () => {
  it('runs since the report of the target version, also when its run hears of that later', async () => {
    await upgrading(10, { soakMs: HOUR_MS });
    await world.reportedVersion(DEVICE, '2.0.0');
    const reportedAtMs = await world.env.currentTimeMs();
    const end = await ended();
    expect(end).toMatchObject({ outcome: 'succeeded' });
    expect(Math.round(((end.endedAtMs ?? 0) - reportedAtMs) / MINUTE_MS)).toBe(60);
  });
});

describe('a gateway whose clock differs from the engine’s', () => {
  const key = () => ({ productKey: world.productKey, deviceName: DEVICE });
  const reportsAt = async (step: number, skewMs: number) =>
    world.records.progressReported(key(), { module: null, step, atMs: (await world.env.currentTimeMs()) + skewMs });

  it.each([
    ['behind', -10 * MINUTE_MS],
    ['ahead', 10 * MINUTE_MS],
  ])('by being %s does not make a device that goes on after a reconnection look silent', async (_how, skewMs) => {
    await begin();
    await reportsAt(10, skewMs);
    const before = await world.records.getDeviceUpdate(task.id, DEVICE);
    const atMs = (await world.env.currentTimeMs()) + skewMs;
    const progress = before && { ...before, startedAtMs: before.startedAtMs };
    await world.run(DEVICE).signal(onlineSignal, {
      ...{ taskId: task.id, atMs },
      progress: {
        step: progress?.step ?? null,
        startedAtMs: progress?.startedAtMs ?? null,
        lastProgressAtMs: progress?.lastProgressAtMs ?? null,
        hundredAtMs: null,
      },
    });
    await world.env.sleep(5 * SECOND_MS);
    await reportsAt(20, skewMs);
    await world.env.sleep(20 * SECOND_MS);
    expect((await world.run(DEVICE).query(stateQuery)).notifications).toBe(1);
    await world.reportVersion(task, DEVICE, '2.0.0');
    await ended();
  });

  it('does not end an update that reports all the time as stalled', async () => {
    await upgrading(1);
    for (let minutes = 0; minutes < 120; minutes += 5) {
      await world.env.sleep(5 * MINUTE_MS);
      await reportsAt(2, -20 * MINUTE_MS);
    }
    expect(await world.run(DEVICE).query(stateQuery)).toMatchObject({ status: 'upgrading' });
    await world.reportVersion(task, DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'succeeded' });
  });
});
