import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TaskRecord } from '../../records/records.js';
import { failureSignal, stateQuery } from '../../workflows/messages.js';
import { HOUR_MS, MINUTE_MS, startWorld, type World } from './world.js';

/* With a soak time, success is proven by going on to run the target version [policy soak]. */

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const DEVICE = 'lamp-1';
const SOAK = { soakMs: HOUR_MS };
let task: TaskRecord;
beforeEach(async () => {
  await world.seed([DEVICE]);
  task = await world.verify([DEVICE], SOAK);
  await world.until(task, DEVICE, ({ status }) => status === 'notified');
});

const ended = async () => {
  await world
    .run(DEVICE)
    .result()
    .catch(() => undefined);
  return world.records.getDeviceUpdate(task.id, DEVICE);
};

describe('an update with a soak time', () => {
  it('stays open after the target version was reported, and says for what and how long', async () => {
    await world.reportProgress(task, DEVICE, 100);
    await world.reportVersion(task, DEVICE, '2.0.0');
    const view = await world.run(DEVICE).query(stateQuery);
    expect(view).toMatchObject({ status: 'upgrading', outcome: null, waitingFor: { what: 'soak' } });
    const { sinceMs = 0, untilMs = 0, text = '' } = view.waitingFor ?? {};
    expect((untilMs ?? 0) - sinceMs).toBe(HOUR_MS);
    expect(text).toContain('fails as fell-back');
    const record = await world.records.getDeviceUpdate(task.id, DEVICE);
    expect(record?.targetReportedAtMs).toBeLessThanOrEqual(sinceMs);
  });

  it('succeeds when the soak time is over and the device still runs the target version', async () => {
    await world.reportVersion(task, DEVICE, '2.0.0');
    const view = await world.run(DEVICE).query(stateQuery);
    const record = await ended();
    expect(record).toMatchObject({ outcome: 'succeeded', cause: null });
    expect((record?.endedAtMs ?? 0) - (view.targetReportedAtMs ?? 0)).toBeGreaterThanOrEqual(HOUR_MS);
  });

  it('is not notified again while it soaks, however often it reconnects', async () => {
    await world.reportProgress(task, DEVICE, 100);
    await world.reportVersion(task, DEVICE, '2.0.0');
    for (let i = 0; i < 3; i++) await world.comesOnline(task, DEVICE);
    await ended();
    expect(world.devices.sentTo(DEVICE)).toHaveLength(1);
  });

  it('fails as fell-back as soon as the device reports another version', async () => {
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.reportedVersion(DEVICE, '1.0.0');
    const update = await world.records.openDeviceUpdate({ productKey: world.productKey, deviceName: DEVICE }, null);
    expect(update?.reportedFailure).toMatchObject({ cause: 'fell-back' });
    const failure = {
      cause: 'fell-back',
      description: 'It runs 1.0.0.',
      atMs: await world.env.currentTimeMs(),
    } as const;
    await world.run(DEVICE).signal(failureSignal, { taskId: task.id, ...failure });
    expect(await ended()).toMatchObject({
      outcome: 'failed',
      cause: 'fell-back',
      detail: 'The device ran the new version and fell back to another one. It runs 1.0.0.',
    });
  });

  it('fails as fell-back at the end of the soak time when nobody told the run, and also when it came back', async () => {
    await world.reportVersion(task, DEVICE, '2.0.0');
    await world.reportedVersion(DEVICE, '1.0.0');
    await world.reportedVersion(DEVICE, '2.0.0');
    expect(await ended()).toMatchObject({ outcome: 'failed', cause: 'fell-back' });
  });

  it('begins to soak also when the run was not told of the target version', async () => {
    await world.reportProgress(task, DEVICE, 100);
    await world.reportedVersion(DEVICE, '2.0.0');
    const record = await ended();
    expect(record).toMatchObject({ outcome: 'succeeded' });
    expect((record?.endedAtMs ?? 0) - (record?.hundredAtMs ?? 0)).toBeGreaterThanOrEqual(HOUR_MS);
  });

  it('does not soak a device that ran the target version before', async () => {
    await world.seed(['other']);
    await world.reportedVersion('other', '2.0.0');
    const other = await world.verify(['other'], SOAK);
    await world.taskRun(other).result();
    const record = await world.records.getDeviceUpdate(other.id, 'other');
    expect(record).toMatchObject({ outcome: 'succeeded' });
    expect((record?.endedAtMs ?? 0) - (record?.begunAtMs ?? 0)).toBeLessThan(MINUTE_MS);
  });
});
