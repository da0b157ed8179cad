import type { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endSignal } from '../../workflows/messages.js';
import { startWorld, type World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const names = (count: number) => Array.from({ length: count }, (_, i) => `lamp-${i}`);
const firmwareStatus = async () => (await world.records.getFirmware(world.firmwareId))?.status;

describe('a verification', () => {
  it('makes the firmware verified when it ends, whatever the results on the devices', async () => {
    await world.seed(names(2));
    const task = await world.verify(names(2));
    await world.until(task, 'lamp-0', ({ status }) => status === 'notified');
    await world.until(task, 'lamp-1', ({ status }) => status === 'notified');
    expect(await firmwareStatus()).toBe('verifying');
    await world.reportFailure(task, 'lamp-0', 'download-failed');
    await world.reportFailure(task, 'lamp-1', 'update-failed');
    expect(await world.taskRun(task).result()).toEqual({ succeeded: 0, failed: 2, cancelled: 0 });
    expect(await firmwareStatus()).toBe('verified');
    expect(await world.records.getTask(task.id)).toMatchObject({
      status: 'completed',
      counts: { failed: 2, total: 2 },
    });
  });

  it('can be ended early: open device updates are cancelled and the firmware becomes verified', async () => {
    await world.seed(names(2));
    const task = await world.verify(names(2));
    await world.until(task, 'lamp-0', ({ status }) => status === 'notified');
    await world.until(task, 'lamp-1', ({ status }) => status === 'notified');
    await world.reportVersion(task, 'lamp-0', '2.0.0');
    await world.until(task, 'lamp-0', ({ outcome }) => outcome === 'succeeded');
    await world.taskRun(task).signal(endSignal);
    await world.taskRun(task).result();
    expect(await world.records.getTask(task.id)).toMatchObject({
      status: 'completed',
      counts: { succeeded: 1, cancelled: 1, total: 2 },
    });
    expect(await firmwareStatus()).toBe('verified');
  });

  it('that is cancelled leaves the firmware unverified and closes as Canceled', async () => {
    await world.seed(names(1));
    const task = await world.verify(names(1));
    await world.until(task, 'lamp-0', ({ status }) => status === 'notified');
    await world.taskRun(task).cancel();
    const error: unknown = await world
      .taskRun(task)
      .result()
      .catch((e: unknown) => e);
    expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    expect(await world.records.getTask(task.id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
    expect(await firmwareStatus()).toBe('unverified');
  });
});

describe('a batch update', () => {
  it('updates every device, shard by shard, and keeps every outcome', async () => {
    await world.seed(names(8));
    const task = await world.batch({}, 3);
    for (const name of names(8)) {
      await world.until(task, name, ({ status }) => status === 'notified');
      if (name === 'lamp-5') await world.reportFailure(task, name, 'extraction-failed');
      else await world.reportVersion(task, name, '2.0.0');
    }
    expect(await world.taskRun(task).result()).toEqual({ succeeded: 7, failed: 1, cancelled: 0 });
    expect(await world.records.getTask(task.id)).toMatchObject({
      status: 'completed',
      counts: { succeeded: 7, failed: 1, total: 8, pending: 0, notified: 0 },
    });
    expect(await world.records.countFailuresByCause(task.id)).toEqual({ 'extraction-failed': 1 });
  });

  it('begins its next shard with the last start of the one before, and does not wait for that one’s confirmation', async () => {
    await world.seed(names(4));
    const task = await world.batch({}, 2);
    for (const name of names(4)) {
      await world.until(task, name, ({ status }) => status === 'notified');
      await world.reportVersion(task, name, '2.0.0');
    }
    await world.taskRun(task).result();
    const shard = await world.env.client.workflow.getHandle(`${task.workflowId}/shard-0`).fetchHistory();
    const types = (shard.events ?? []).map(({ eventType }) => eventType);
    const { EventType } = temporal.api.enums.v1;
    const told = types.indexOf(EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
    const confirmed = types.lastIndexOf(EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(confirmed);
  });

  it('that is cancelled cancels every device update, begun or not, and releases its claims', async () => {
    await world.seed(names(8));
    for (const name of names(4)) world.devices.online.delete(name);
    const task = await world.batch({}, 3);
    await world.until(task, 'lamp-0', ({ begunAtMs }) => begunAtMs !== null);
    await world.taskRun(task).cancel();
    await world
      .taskRun(task)
      .result()
      .catch(() => undefined);
    expect(await world.records.getTask(task.id)).toMatchObject({
      status: 'cancelled',
      counts: { cancelled: 8, total: 8 },
    });
    // The claims are free again: the same source version can be named anew.
    await expect(world.batch()).resolves.toMatchObject({ sourceVersions: ['1.0.0'] });
  });

  it('fails a device as device-busy when its last update is not finished, naming the other task', async () => {
    await world.seed(names(2));
    await world.makeVerified();
    const first = await world.verify(['lamp-0']);
    await world.until(first, 'lamp-0', ({ status }) => status === 'notified');

    const second = await world.batch();
    const busy = await world.until(second, 'lamp-0', ({ outcome }) => outcome === 'failed');
    expect(busy).toMatchObject({ cause: 'device-busy', begunAtMs: null, runId: null });
    expect(busy.detail).toContain(first.id);
    expect(await world.records.getDeviceUpdate(first.id, 'lamp-0')).toMatchObject({ status: 'notified' });
    await world.reportVersion(second, 'lamp-1', '2.0.0');
    expect(await world.taskRun(second).result()).toEqual({ succeeded: 1, failed: 1, cancelled: 0 });
    await world.reportVersion(first, 'lamp-0', '2.0.0');
    await world.taskRun(first).result();
  });

  /** A batch that is being stopped, and a second one that has been refused the device of the first. */
  async function heldBySecond() {
    await world.seed(names(1));
    world.devices.online.clear();
    const first = await world.batch();
    await world.until(first, 'lamp-0', ({ begunAtMs }) => begunAtMs !== null);
    await world.records.requestTaskCancel(first.id, await world.env.currentTimeMs());
    const asked = world.runs.untilAsked(world.run('lamp-0').workflowId);
    const second = await world.batch();
    // The first one’s run is told only when the second one has been refused its device.
    await asked;
    return { first, second };
  }

  it('starts a device whose former update is being stopped, as soon as that has closed', async () => {
    const { first, second } = await heldBySecond();
    await world.taskRun(first).cancel();
    await world.until(second, 'lamp-0', ({ begunAtMs }) => begunAtMs !== null);
    await world.comesOnline(second, 'lamp-0');
    await world.until(second, 'lamp-0', ({ status }) => status === 'notified');
    await world.reportVersion(second, 'lamp-0', '2.0.0');
    expect(await world.taskRun(second).result()).toEqual({ succeeded: 1, failed: 0, cancelled: 0 });
    expect(await world.records.getDeviceUpdate(first.id, 'lamp-0')).toMatchObject({ status: 'cancelled' });
  });

  it('records at once that an operator has cancelled a device which waits for its former update to close', async () => {
    const { first, second } = await heldBySecond();
    await world.records.requestDeviceCancel(second.id, 'lamp-0', await world.env.currentTimeMs());
    const ended = await world.until(second, 'lamp-0', ({ status }) => status === 'cancelled');
    expect(ended.detail).toBe('An operator cancelled it.');
    expect(await world.taskRun(second).result()).toEqual({ succeeded: 0, failed: 0, cancelled: 1 });
    await world.taskRun(first).cancel();
    await expect(world.taskRun(first).result()).rejects.toThrow();
  });
});
