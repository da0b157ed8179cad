import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOutbox, type Outbox, type OutboxDeps } from '../../api/outbox.js';
import { resolvePolicy } from '../../domain/policy.js';
import { PRODUCT, World } from './world.js';

/** Stands for the engine's client: what it was told, and how it answers. The end-to-end tests use the real one. */
class Engine {
  readonly told: string[] = [];
  starts: Record<string, unknown>[] = [];
  /** Thrown at the next calls, whatever they are. */
  fault: Error | undefined;
  /** Thrown at decisions. */
  refusal: Error | undefined;
  /** Resolves before a start is answered. */
  held: Promise<void> = Promise.resolve();

  /** Workflow ids that begin so can't be told anything. */
  unreachable: string | undefined;

  private tell(what: string): Promise<void> {
    if (this.unreachable !== undefined && what.includes(this.unreachable)) return Promise.reject(new Error('refused'));
    this.told.push(what);
    return this.fault ? Promise.reject(this.fault) : Promise.resolve();
  }

  readonly workflow = {
    start: async (type: string, options: Record<string, unknown>) => {
      this.starts.push({ type, ...options });
      await this.held;
      await this.tell(`start ${String(options['workflowId'])}`);
    },
    getHandle: (workflowId: string, runId?: string, chain: { firstExecutionRunId?: string } = {}) => ({
      describe: async () => ({ runId, status: { name: 'RUNNING' }, raw: { workflowExecutionInfo: {} } }),
      cancel: () => this.tell(`cancel ${[workflowId, runId ?? chain.firstExecutionRunId ?? []].flat().join(' ')}`),
      signal: (signal: { name: string }) => this.tell(`${signal.name} ${workflowId}`),
      executeUpdate: (update: { name: string }, { args: [approval] }: { args: [{ decision: string }] }) =>
        this.tell(`${update.name} ${workflowId} ${approval.decision}`).then(() => {
          if (this.refusal) throw this.refusal;
        }),
    }),
  };

  withDeadline<T>(_deadline: number, work: () => Promise<T>): Promise<T> {
    return work();
  }
}

describe('The outbox', () => {
  let world: World;
  let engine: Engine;
  let outbox: Outbox;
  let taskId: string;

  beforeEach(async () => {
    world = await World.open();
    await world.product();
    engine = new Engine();
    outbox = createOutbox({
      records: world.records,
      client: engine as unknown as OutboxDeps['client'],
      log: pino({ level: 'silent' }),
    });
    const firmwareId = await world.firmware();
    const { body } = await world.post<{ id: string }>(`/v1/firmware/${firmwareId}/verifications`, {
      deviceNames: ['lamp-1', 'lamp-2'],
    });
    taskId = body.id;
  });
  afterEach(() => world.close());

  const undelivered = () => world.records.undeliveredTask(taskId);

  it('starts a task under its business key, for which there is never a second run', async () => {
    await outbox.deliver(taskId);
    expect(engine.starts).toMatchObject([
      {
        type: 'verification',
        workflowId: `verification/${taskId}`,
        taskQueue: 'ferry',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [{ taskId, kind: 'verification', devicesTotal: 2, firmware: { version: '2.0.0' } }],
      },
    ]);
    expect(await undelivered()).toBeUndefined();
    await outbox.deliver(taskId);
    expect(engine.told).toHaveLength(1);
  });

  it('starts a batch as a batch update', async () => {
    await world.end(taskId);
    const firmwareId = await world.verifiedFirmware('3.0.0');
    const { body } = await world.post<{ id: string }>(`/v1/firmware/${firmwareId}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    await outbox.deliver(body.id);
    expect(engine.starts).toMatchObject([{ type: 'batchUpdate', workflowId: `batch/${body.id}` }]);
  });

  it('counts a task that runs already as told', async () => {
    engine.fault = new WorkflowExecutionAlreadyStartedError('there is one', 'id', 'verification');
    await outbox.deliver(taskId);
    expect(await undelivered()).toBeUndefined();
  });

  it('leaves for the next round what the engine did not take, and throws nothing', async () => {
    engine.fault = new Error('connection refused');
    await outbox.deliver(taskId);
    await outbox.deliverAll();
    expect(await undelivered()).toMatchObject({ start: true });
    engine.fault = undefined;
    await outbox.deliverAll();
    expect(await undelivered()).toBeUndefined();
  });

  it('tells a start before a cancellation or an end that was asked for meanwhile', async () => {
    await world.notify(taskId, 'lamp-1');
    expect((await world.post(`/v1/tasks/${taskId}/end`)).status).toBe(202);
    await outbox.deliverAll();
    expect(engine.told).toEqual([`start verification/${taskId}`, `end verification/${taskId}`]);
    expect(await undelivered()).toBeUndefined();
  });

  it('cancels a task', async () => {
    await outbox.deliver(taskId);
    await world.post(`/v1/tasks/${taskId}/cancel`);
    await outbox.deliver(taskId);
    expect(engine.told.at(-1)).toBe(`cancel verification/${taskId}`);
    expect(await undelivered()).toBeUndefined();
  });

  describe('for a batch that needs a second operator', () => {
    let id: string;
    beforeEach(async () => {
      await world.end(taskId);
      const firmwareId = await world.verifiedFirmware('3.0.0');
      const task = await world.records.createTask({
        ...{ id: 'large', kind: 'batch', firmwareId, sourceVersions: ['1.0.0'], deviceNames: null, createdAtMs: 1 },
        ...{ policy: resolvePolicy('batch'), startedBy: 'Ada', approvalAbove: 0 },
      });
      ({ id } = task.value);
      await outbox.deliver(id);
      engine.told.length = 0;
    });
    const decide = (decision: 'approved' | 'rejected') =>
      world.records.decideTask(id, { decision, by: 'Bob', remark: '', atMs: 2 });

    it.each(['approved', 'rejected'] as const)('tells once that it is %s', async (decision) => {
      await decide(decision);
      await outbox.deliver(id);
      await outbox.deliver(id);
      expect(engine.told).toEqual([`decide batch/${id} ${decision}`]);
      expect(await world.records.undeliveredTask(id)).toBeUndefined();
    });

    it('tells the decision again that the engine did not take', async () => {
      await decide('approved');
      engine.fault = new Error('no worker');
      await outbox.deliver(id);
      expect(await world.records.undeliveredTask(id)).toMatchObject({ approval: { decision: 'approved' } });
      engine.fault = undefined;
      await outbox.deliver(id);
      expect(await world.records.undeliveredTask(id)).toBeUndefined();
    });

    it('does not tell an approval beside a cancellation: it would begin for a moment', async () => {
      await decide('approved');
      await world.records.requestTaskCancel(id, 3);
      await outbox.deliver(id);
      expect(engine.told).toEqual([`cancel batch/${id}`]);
      expect(await world.records.undeliveredTask(id)).toBeUndefined();
    });

    it('stops a run that was approved before the records were restored, and tells it no more', async () => {
      await decide('rejected');
      engine.refusal = new WorkflowUpdateFailedError('refused', undefined);
      await outbox.deliver(id);
      expect(engine.told).toEqual([`decide batch/${id} rejected`, `cancel batch/${id}`]);
      expect(await world.records.undeliveredTask(id)).toBeUndefined();
    });
  });

  it('has cancelled in the records what no device was told of, before the engine hears of it', async () => {
    await outbox.deliver(taskId);
    await world.notify(taskId, 'lamp-1');
    await world.post(`/v1/tasks/${taskId}/cancel`);
    engine.fault = new Error('the engine is away');
    await outbox.deliver(taskId);
    expect(await world.records.getTask(taskId)).toMatchObject({ counts: { notified: 1, cancelled: 1, pending: 0 } });
  });

  it('needs not tell a run that has ended', async () => {
    await outbox.deliver(taskId);
    await world.post(`/v1/tasks/${taskId}/cancel`);
    engine.fault = new WorkflowNotFoundError('closed', 'id', undefined);
    await outbox.deliver(taskId);
    expect(await undelivered()).toBeUndefined();
  });

  it('cancels one device by its run, so that its next task is safe', async () => {
    await outbox.deliver(taskId);
    await world.records.taskBegun(taskId, 'run-1', Date.now());
    await world.notify(taskId, 'lamp-1');
    await world.post(`/v1/tasks/${taskId}/devices/lamp-1/cancel`);
    await outbox.deliver(taskId);
    expect(engine.told.at(-1)).toBe('cancel device-update/lamps/lamp-1 run-2');
    expect(await world.records.undeliveredDeviceCancels(taskId, 10)).toEqual([]);
  });

  it('tells the cancellation of a device, although a thousand of another task can’t be told', async () => {
    const many = Array.from({ length: 1_000 }, (_, n) => `many-${n}`);
    await world.records.registerDevices(
      PRODUCT,
      many.map((deviceName) => ({ deviceName, deviceSecret: 'secret', protocol: 'mqtt' as const })),
      1,
    );
    await Promise.all(many.map((deviceName) => world.runs(deviceName, '0.9.0')));
    const { value: stuck } = await world.records.createTask({
      ...{ id: 'stuck', kind: 'batch', firmwareId: await world.verifiedFirmware('3.0.0'), sourceVersions: ['0.9.0'] },
      ...{ deviceNames: null, policy: resolvePolicy('batch'), createdAtMs: 1 },
    });
    const { value: later } = await world.records.createTask({
      ...{ id: 'later', kind: 'verification', firmwareId: stuck.firmware.id, sourceVersions: [] },
      ...{ deviceNames: ['lamp-3'], policy: resolvePolicy('verification'), createdAtMs: 2 },
    });
    await outbox.deliverAll();
    const notifyAndCancel = async (id: string, deviceName: string) => {
      await world.notify(id, deviceName);
      await world.records.requestDeviceCancel(id, deviceName, 2);
    };
    await Promise.all(many.map((deviceName) => notifyAndCancel(stuck.id, deviceName)));
    await notifyAndCancel(later.id, 'lamp-3');
    engine.unreachable = 'device-update/lamps/many-';
    await outbox.deliverAll();
    expect(await world.records.undeliveredDeviceCancels(later.id, 10)).toEqual([]);
    expect(await world.records.undeliveredDeviceCancels(stuck.id, 2_000)).toHaveLength(1_000);
  });

  it('never has two deliveries of a task under way, and the second sees what came meanwhile', async () => {
    let release = () => {};
    engine.held = new Promise((resolve) => (release = resolve));
    const first = outbox.deliver(taskId);
    await world.post(`/v1/tasks/${taskId}/cancel`);
    const others = [outbox.deliver(taskId), outbox.deliver(taskId), outbox.deliverAll()];
    release();
    await Promise.all([first, ...others]);
    expect(engine.told).toEqual([`start verification/${taskId}`, `cancel verification/${taskId}`]);
  });
});
