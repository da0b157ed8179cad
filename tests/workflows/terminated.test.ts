import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRealTimeWorld, type World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await startRealTimeWorld();
});
afterAll(() => world.stop());

const names = (count: number) => Array.from({ length: count }, (_, i) => `lamp-${i}`);

describe('a run that somebody terminates in Temporal', () => {
  it('leaves its device update recorded as cancelled', async () => {
    await world.seed(names(2));
    const task = await world.batch();
    await world.until(task, 'lamp-0', ({ status }) => status === 'notified');
    await world.until(task, 'lamp-1', ({ status }) => status === 'notified');
    await world.run('lamp-0').terminate('by hand');
    await world.reportVersion(task, 'lamp-1', '2.0.0');
    expect(await world.taskRun(task).result()).toEqual({ succeeded: 1, failed: 0, cancelled: 1 });
    expect(await world.records.getDeviceUpdate(task.id, 'lamp-0')).toMatchObject({
      status: 'cancelled',
      detail: expect.stringContaining('terminated') as string,
    });
  });

  it('does not keep its batch from ending when it is a shard’s: no claim stays behind', async () => {
    await world.seed(names(4));
    const task = await world.batch({}, 2);
    for (const name of names(4)) await world.until(task, name, ({ status }) => status === 'notified');
    await world.env.client.workflow.getHandle(`batch/${task.id}/shard-0`).terminate('by hand');
    for (const name of ['lamp-2', 'lamp-3']) await world.reportVersion(task, name, '2.0.0');
    await world.taskRun(task).result();
    const ended = await world.untilTask(task, ({ counts }) => counts.cancelled === 2);
    expect(ended).toMatchObject({ status: 'completed', counts: { succeeded: 2, cancelled: 2 } });
  });

  it('says so where a person has cancelled the run of one device in Temporal', async () => {
    await world.seed(names(1));
    const task = await world.batch();
    await world.until(task, 'lamp-0', ({ status }) => status === 'notified');
    await world.run('lamp-0').cancel();
    const record = await world.until(task, 'lamp-0', ({ status }) => status === 'cancelled');
    expect(record.detail).toBe('Its run was cancelled in Temporal.');
    await world.taskRun(task).result();
  });

  it('is started once more when it is a shard’s, for the devices that it had not begun', async () => {
    await world.seed(names(60));
    world.devices.online.clear();
    const task = await world.batch({}, 60);
    await world.until(task, 'lamp-0', ({ begunAtMs }) => begunAtMs !== null);
    await world.env.client.workflow.getHandle(`batch/${task.id}/shard-0`).terminate('by hand');
    // Whichever device was not begun then has its run now; the others have ended with the shard.
    const settled = await world.untilTask(task, ({ counts }) => counts.cancelled > 0);
    const openOnes = async () => {
      const { items } = await world.records.listDeviceUpdates(task.id, {}, { limit: 100 });
      return items.filter(({ status }) => status === 'pending');
    };
    for (const { deviceName } of await openOnes()) {
      const begun = await world.until(
        task,
        deviceName,
        ({ begunAtMs, endedAtMs }) => (begunAtMs ?? endedAtMs) !== null,
      );
      if (begun.status === 'pending') await world.comesOnline(task, deviceName).catch(() => undefined);
      const told = await world.until(task, deviceName, ({ status }) => status === 'notified' || status === 'cancelled');
      if (told.status === 'notified') await world.reportVersion(task, deviceName, '2.0.0');
    }
    await world.taskRun(task).result();
    const ended = await world.untilTask(task, ({ status }) => status === 'completed');
    expect(ended.counts.succeeded).toBeGreaterThan(0);
    expect(ended.counts.succeeded + ended.counts.cancelled).toBe(60);
    expect(settled.counts.failed).toBe(0);
  });

  it('fails what it had not begun when it is a shard’s for the second time: the batch tells both breaks, and the devices can be re-initiated', async () => {
    await world.seed(names(2));
    world.devices.online.clear();
    const former = await world.batch();
    for (const name of names(2)) await world.until(former, name, ({ begunAtMs }) => begunAtMs !== null);
    await world.records.requestTaskCancel(former.id, await world.env.currentTimeMs());
    // The former runs are told later only, so that the shard waits for both devices and begins neither.
    const task = await world.batch();
    const shard = world.env.client.workflow.getHandle(`batch/${task.id}/shard-0`);
    const first = await waitingRun(shard);
    await shard.terminate('by hand');
    await waitingRun(shard, first);
    await shard.terminate('by another hand');

    await world.taskRun(task).result();
    for (const name of names(2)) {
      expect(await world.records.getDeviceUpdate(task.id, name)).toMatchObject({
        ...{ outcome: 'failed', cause: 'update-failed', begunAtMs: null },
        detail: expect.stringContaining('The run of its shard broke twice: Terminated.') as string,
      });
    }
    const { currentDetails } = await world
      .taskRun(task)
      .query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('The run of shard 0 broke and is started again: Terminated.');
    expect(currentDetails).toContain('The run of shard 0 broke once more: Terminated.');

    const again = { id: `${task.id}-again`, reinitiates: task.id, deviceNames: null };
    const { value } = await world.records.reinitiateTask({ ...again, createdAtMs: await world.env.currentTimeMs() });
    expect(value).toMatchObject({ status: 'pending', counts: { pending: 2, total: 2 } });
    await world.taskRun(former).cancel();
    await expect(world.taskRun(former).result()).rejects.toThrow();
  });

  /** The id of a shard's open run that waits for a device; another than its former run. */
  async function waitingRun(shard: WorkflowHandle, former?: string): Promise<string> {
    for (;;) {
      await world.runs.untilAsked(world.run('lamp-0').workflowId);
      const { runId, status } = await shard.describe();
      if (status.name === 'RUNNING' && runId !== former) return runId;
    }
  }
});

describe('a batch update', () => {
  it('that is stopped closes runs of which no device was told without waking them, and cancels the others', async () => {
    await world.seed(names(4));
    for (const name of ['lamp-0', 'lamp-1']) world.devices.online.delete(name);
    const task = await world.batch();
    for (const name of names(4)) await world.until(task, name, ({ begunAtMs }) => begunAtMs !== null);
    for (const name of ['lamp-2', 'lamp-3']) await world.until(task, name, ({ status }) => status === 'notified');
    const runs = names(4).map((name) => world.run(name));
    await world.records.requestTaskCancel(task.id, await world.env.currentTimeMs());
    await world.taskRun(task).cancel();
    await expect(world.taskRun(task).result()).rejects.toThrow();
    const ends = await Promise.all(runs.map(async (run) => (await run.describe()).status.name));
    expect(ends.map((end) => end === 'TERMINATED')).toEqual([true, true, false, false]);
    for (const name of names(4)) {
      expect(await world.records.getDeviceUpdate(task.id, name)).toMatchObject({
        status: 'cancelled',
        detail: 'An operator cancelled it.',
      });
    }
    expect(await world.records.getTask(task.id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 4 } });
  });
});

describe('a run that Temporal ends at the limit of its history', () => {
  let limited: World;
  beforeAll(async () => {
    limited = await startRealTimeWorld(['--dynamic-config-value', 'limit.historyCount.error=120']);
  });
  afterAll(() => limited.stop());

  it('is no operator’s cancellation: its device update has failed, and can be re-initiated', async () => {
    await limited.seed(['lamp-0']);
    const task = await limited.verify(['lamp-0']);
    await limited.until(task, 'lamp-0', ({ status }) => status === 'notified');
    for (let isOpen = true; isOpen;) {
      isOpen = await limited.comesOnline(task, 'lamp-0').then(
        () => true,
        () => false,
      );
    }
    expect(await limited.taskRun(task).result()).toEqual({ succeeded: 0, failed: 1, cancelled: 0 });
    expect(await limited.records.getDeviceUpdate(task.id, 'lamp-0')).toMatchObject({
      ...{ outcome: 'failed', cause: 'update-failed' },
      detail: expect.stringMatching(/Temporal itself has ended its run: .*history/) as string,
    });
  });
});
