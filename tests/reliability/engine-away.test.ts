import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isTaskOpen, type TaskStatus } from '../../domain/update-task.js';
import { untilRun } from '../support/run-state.js';
import { Ground } from './ground.js';

/*
 * The engine answers nothing (SIGSTOP) or the service is killed: what was accepted is carried out all the same, once.
 */

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
// A test that fails leaves the engine as it should be for the next one.
afterEach(() => ground.service.signalTemporal('SIGCONT'));
afterAll(() => ground.close());

const api = () => ground.service.api;
const killService = () => ground.service.signal('SIGKILL');
const isEnded = ({ status }: { status: TaskStatus }) => !isTaskOpen(status);

describe('while the workflow engine is away', () => {
  it('a task is accepted, says that it waits for the engine, and starts once when it is back', async () => {
    const { id } = await ground.verifiedFirmware();
    await ground.register('accepted', '1.0');
    const device = await ground.connect('accepted');
    await ground.service.signalTemporal('SIGSTOP');
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.0'] });
    expect(task).toMatchObject({ status: 'pending', waitingFor: 'workflow engine', startedAt: null });
    // The service looks at its parts once a second at most, so its first answer may be from before.
    const { parts } = await ground.until(
      () => api().readiness(),
      ({ status }) => status === 'not-ready',
    );
    expect(parts).toEqual({ database: 'up', 'workflow engine': 'down', 'MQTT broker': 'up', 'workflow worker': 'up' });
    expect((await api().listTasks()).items[0]).toMatchObject({ id: task.id, waitingFor: 'workflow engine' });
    const { items } = await api().listDeviceUpdates(task.id);
    expect(items[0]?.waitingFor).toMatchObject({ what: 'its-turn', since: task.createdAt });

    await ground.service.signalTemporal('SIGCONT');
    await device.update();
    const ended = await ground.untilTask(task.id, isEnded);
    expect(ended).toMatchObject({ status: 'completed', waitingFor: null, counts: { succeeded: 1 } });
    expect(await ground.runsOf(task.id)).toEqual({ batchUpdate: 1, shard: 1, deviceUpdate: 1 });
    await device.leave();
  });

  it('a report that begins an update is kept and acknowledged; its run hears of it afterwards, over a kill too', async () => {
    const { id, version } = await ground.verifiedFirmware();
    await ground.register('reporting', '1.1');
    let device = await ground.connect('reporting');
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.1'] });
    await device.notification();
    await ground.service.signalTemporal('SIGSTOP');
    expect(await device.tryProgress(10)).toBe('acknowledged');
    await killService();
    await ground.service.start();
    const upgrading = await ground.untilUpdate(task.id, 'reporting', ({ status }) => status === 'upgrading');
    expect(upgrading).toMatchObject({ step: 10, attempt: 1 });
    await untilRun(ground.service.temporalAddress, upgrading.workflow.id, ({ status }) => status === 'upgrading');
    device = await ground.connect('reporting');
    await device.progress(100);
    await device.runs(version);
    const ended = await ground.untilTask(task.id, isEnded);
    expect(ended.counts).toMatchObject({ succeeded: 1, failed: 0, total: 1 });
    expect(await ground.runsOf(task.id)).toEqual({ batchUpdate: 1, shard: 1, deviceUpdate: 1 });
    await device.leave();
  });

  it('a report that ends an update is kept and acknowledged too; its run hears of it after a kill, once', async () => {
    const { id } = await ground.verifiedFirmware();
    await ground.register('ending', '1.7');
    const device = await ground.connect('ending');
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.7'] });
    await device.notification();
    await ground.service.signalTemporal('SIGSTOP');
    expect(await device.tryProgress(-3)).toBe('acknowledged');
    await killService();
    await ground.service.start();
    const ended = await ground.untilTask(task.id, isEnded);
    expect(ended.counts).toMatchObject({ succeeded: 0, failed: 1, total: 1 });
    await device.leave();
  });
});

describe('a service that is killed before the engine was told', () => {
  it('of a new task, starts it once after its restart', async () => {
    const { id } = await ground.verifiedFirmware();
    await ground.register('outboxed', '1.2');
    await ground.service.signalTemporal('SIGSTOP');
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.2'] });
    await killService();
    await ground.service.start();
    const device = await ground.connect('outboxed');
    await device.update();
    await ground.untilTask(task.id, isEnded);
    expect(await ground.runsOf(task.id)).toEqual({ batchUpdate: 1, shard: 1, deviceUpdate: 1 });
    await device.leave();
  });

  it('of a re-initiation, starts it after its restart', async () => {
    const { id } = await ground.verifiedFirmware();
    await ground.register('failing', '1.3');
    let device = await ground.connect('failing');
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.3'] });
    await device.notification();
    await device.progress(-2, 'no route');
    await ground.untilTask(task.id, isEnded);
    await ground.service.signalTemporal('SIGSTOP');
    const again = await api().reinitiate(task.id);
    expect(again).toMatchObject({ status: 'pending', waitingFor: 'workflow engine', reinitiates: task.id });
    await killService();
    await ground.service.start();
    device = await ground.connect('failing');
    await device.update();
    expect(await ground.untilTask(again.id, isEnded)).toMatchObject({ status: 'completed', counts: { succeeded: 1 } });
    await device.leave();
  });

  it('of a cancellation, cancels after its restart, whether the engine answered or not', async () => {
    for (const [engine, sourceVersion] of [
      ['away', '1.4'],
      ['there', '1.5'],
    ] as const) {
      const { id } = await ground.verifiedFirmware();
      await ground.register(`cancelled-${engine}`, sourceVersion);
      const task = await api().createBatchUpdate(id, { sourceVersions: [sourceVersion] });
      await ground.untilUpdate(task.id, `cancelled-${engine}`, ({ waitingFor }) => waitingFor?.what === 'online');
      if (engine === 'away') await ground.service.signalTemporal('SIGSTOP');
      await api().cancelTask(task.id);
      await killService();
      await ground.service.start();
      const ended = await ground.untilTask(task.id, isEnded);
      expect(ended).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
    }
  });

  it('of a device’s cancellation, cancels it alone after its restart', async () => {
    const { id } = await ground.verifiedFirmware();
    await ground.register('one', '1.6');
    await ground.register('two', '1.6');
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.6'] });
    for (const name of ['one', 'two']) {
      await ground.untilUpdate(task.id, name, ({ waitingFor }) => waitingFor?.what === 'online');
    }
    await ground.service.signalTemporal('SIGSTOP');
    await api().cancelDeviceUpdate(task.id, 'one');
    await killService();
    await ground.service.start();
    await ground.untilUpdate(task.id, 'one', ({ status }) => status === 'cancelled');
    const device = await ground.connect('two');
    await device.update();
    expect(await ground.untilTask(task.id, isEnded)).toMatchObject({ counts: { cancelled: 1, succeeded: 1 } });
    await device.leave();
  });
});
