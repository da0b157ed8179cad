import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { progressed, notified, initialState, cancelled } from '../../domain/device-update.js';
import { Ground, light, selfSubscribed, topicOf, type GroundOptions } from './ground.js';

let ground: Ground;
afterEach(() => ground.stop());
const start = async (options?: GroundOptions) => (ground = await Ground.start(options));

const onlineSignalsOf = async (taskId: string, key = light(1)) => {
  const record = await ground.recordOf(taskId, key);
  return (await ground.records.getDeviceUpdateById(record.id))?.onlineSignals;
};
/** Resolves when the record has so many `online` signals: it is written after the engine has answered. */
const signalled = async (taskId: string, times: number) => {
  while ((await onlineSignalsOf(taskId)) !== times) await new Promise((resolve) => setImmediate(resolve));
};

describe('coming online', () => {
  it('is signalled to the run of the open update, when the records know of it', async () => {
    await start();
    const { taskId, runId } = await ground.begunUpdate();
    let onlineThen: boolean | undefined;
    ground.signals.answer = async () => {
      onlineThen = (await ground.records.getDevice(light(1)))?.online;
      return 'delivered';
    };
    await ground.device();
    await signalled(taskId, 1);
    expect(onlineThen).toBe(true);
    expect(ground.signals.sent).toEqual([
      {
        name: 'online',
        run: { ...light(1), runId },
        message: { taskId, atMs: expect.any(Number) as number, connectionId: expect.any(String) as string },
      },
    ]);
  });

  it('is signalled only once the subscription is in place, and once for each time', async () => {
    await start();
    const { taskId } = await ground.begunUpdate();
    let reachableThen: boolean | undefined;
    ground.signals.answer = async () => {
      reachableThen = await ground.broker.link.publishNotification(light(1), 'now');
      return 'delivered';
    };
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    await device.client.subscribeAsync(topicOf('request', light(1)));
    await device.handled();
    expect(ground.signals.sent).toEqual([]);
    await device.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    await signalled(taskId, 1);
    expect(reachableThen).toBe(true);
    await device.next(topicOf('upgrade', light(1)));
    await device.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    await device.handled();
    expect(ground.signals.names()).toEqual(['online']);
  });

  it('is signalled when the subscription is restored with the session', async () => {
    await start();
    const kept = { clean: false };
    const device = await ground.connect(light(1), selfSubscribed(light(1)), kept);
    await device.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    await device.client.endAsync();
    const { taskId } = await ground.begunUpdate();
    await ground.connect(light(1), selfSubscribed(light(1)), kept);
    await signalled(taskId, 1);
  });

  it('of a restored subscription counts once the device has subscribed or sent something itself', async () => {
    await start();
    const credentials = { ...selfSubscribed(light(1)), protocolVersion: 4, clean: false } as const;
    const first = await ground.connect(light(1), selfSubscribed(light(1)), { clean: false });
    await first.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    await first.client.endAsync();
    const { taskId } = await ground.begunUpdate();
    for (const [n, speak] of [
      (client: MqttClient) => client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 }),
      (client: MqttClient) => client.publishAsync(topicOf('inform', light(1)), '{}', { qos: 1 }),
    ].entries()) {
      const client = await connectAsync(ground.url, credentials);
      await ground.becomes(true);
      expect(ground.broker.link.isReachable(light(1))).toBe(false);
      expect(await ground.broker.link.publishNotification(light(1), 'too early')).toBe(false);
      expect(await onlineSignalsOf(taskId)).toBe(n);
      await speak(client);
      await signalled(taskId, n + 1);
      expect(ground.broker.link.isReachable(light(1))).toBe(true);
      await client.endAsync();
      await ground.becomes(false);
    }
  });

  it('of a restored subscription counts after a while, though the device says nothing', async () => {
    await start({ limits: { restoredSessionMs: 1 } });
    const first = await ground.connect(light(1), selfSubscribed(light(1)), { clean: false });
    await first.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    await first.client.endAsync();
    const { taskId } = await ground.begunUpdate();
    const client = await connectAsync(ground.url, {
      ...selfSubscribed(light(1)),
      ...{ protocolVersion: 4, clean: false },
    });
    await signalled(taskId, 1);
    await client.endAsync();
  });

  it('names its connection; the sweep repeats nothing that may just not be carried out yet', async () => {
    await start();
    const { taskId } = await ground.begunUpdate();
    const { id } = await ground.recordOf(taskId);
    const device = await ground.device();
    await signalled(taskId, 1);
    for (let n = 0; n < 6; n++) await ground.gateway.sweep(ground.broker.link);
    expect(ground.signals.names()).toEqual(['online']);
    await ground.records.signalled(id, 'online', Date.now() - 31_000);
    await ground.gateway.sweep(ground.broker.link);
    const ids = ground.signals.sent.map(({ message }) => message.connectionId);
    expect(ids).toEqual([expect.any(String), ids[0]]);
    await device.client.endAsync();
    await ground.becomes(false);
    await ground.device();
    await ground.signals.count(3);
    expect(ground.signals.sent[2]?.message.connectionId).not.toBe(ids[0]);
  });

  it('is signalled in mid-update too, but not without an update, nor after its end', async () => {
    await start();
    await ground.device(light(2));
    const { taskId, runId } = await ground.begunUpdate();
    const upgrading = progressed(notified(initialState(1), 2), 40, 3);
    await ground.records.recordDeviceUpdate(taskId, light(1), upgrading, runId);
    const device = await ground.device();
    await signalled(taskId, 1);
    await device.client.endAsync();
    await ground.records.recordDeviceUpdate(taskId, light(1), cancelled(upgrading, 9, 'over'), runId);
    await (await ground.device()).handled();
    expect(ground.signals.names()).toEqual(['online']);
  });

  it('is held back for a device that keeps reconnecting; the sweep sends it later, to reachable devices only', async () => {
    await start();
    const { taskId } = await ground.begunUpdate();
    const { id } = await ground.recordOf(taskId);
    for (let n = 1; n <= 5; n++) {
      const device = await ground.device();
      await signalled(taskId, n);
      await device.client.endAsync();
      await ground.becomes(false);
    }
    const device = await ground.device();
    // Its being online is passed on once that is recorded: a moment later than its messages are handled.
    await ground.becomes(true);
    await device.handled();
    await ground.gateway.sweep(ground.broker.link);
    expect(ground.signals.names()).toHaveLength(5);
    await ground.records.signalled(id, 'online', Date.now() - 3_700_000); // its back-off is over
    await ground.gateway.sweep({ isReachable: () => false });
    expect(ground.signals.names()).toHaveLength(5);
    await ground.gateway.sweep(ground.broker.link);
    expect(ground.signals.names()).toHaveLength(6);
  });

  it('is tried again while the engine is away', async () => {
    await start({ onlineRetry: { firstDelayMs: 1, delayMsMax: 4 } });
    const { taskId } = await ground.begunUpdate();
    let failures = 4;
    ground.signals.answer = async () => {
      if (failures-- > 0) throw new Error('engine away');
      return 'delivered';
    };
    await ground.device();
    await ground.signals.count(5);
    await signalled(taskId, 1);
    expect(ground.signals.names()).toHaveLength(5);
  });

  it('is tried for as long as the device is connected', async () => {
    await start({ onlineRetry: { firstDelayMs: 1, delayMsMax: 1 } });
    const { taskId } = await ground.begunUpdate();
    let away = true;
    ground.signals.answer = async () => {
      if (away) throw new Error('engine away');
      return 'delivered';
    };
    await ground.device();
    await ground.signals.count(20);
    await expect(ground.gateway.sweep(ground.broker.link)).rejects.toThrow('engine away');
    away = false;
    await signalled(taskId, 1);
  });

  it('is sent in mid-update when its back-off is over, which no sweep looks at', async () => {
    await start();
    const { taskId, runId } = await ground.begunUpdate();
    const { id } = await ground.recordOf(taskId);
    const upgrading = progressed(notified(initialState(1), 2), 40, 3);
    await ground.records.recordDeviceUpdate(taskId, light(1), upgrading, runId);
    // Held back for 4 s after the sixth; 50 ms of it are left.
    for (let n = 1; n <= 6; n++) await ground.records.signalled(id, 'online', Date.now() - 3_950);
    await ground.device();
    await ground.signals.count(1);
    await signalled(taskId, 7);
  });

  it('is sent to every device that can be told, though another’s run can’t be told', async () => {
    await start();
    const [first, second] = [await ground.begunUpdate(light(1)), await ground.begunUpdate(light(2), { module: 'mcu' })];
    for (const n of [1, 2]) await ground.records.deviceConnected(light(n), `connection-${n}`, 1);
    ground.signals.answer = ({ run }) =>
      run.deviceName === light(1).deviceName
        ? Promise.reject(new Error('too many signals'))
        : Promise.resolve('delivered');
    await expect(ground.gateway.sweep({ isReachable: () => true })).rejects.toThrow('too many signals');
    expect([await onlineSignalsOf(first.taskId), await onlineSignalsOf(second.taskId, light(2))]).toEqual([0, 1]);
  });

  it('is no longer tried when the device has left', async () => {
    await start({ onlineRetry: { firstDelayMs: 60_000, delayMsMax: 60_000 } });
    await ground.begunUpdate();
    ground.signals.answer = () => Promise.reject(new Error('engine away'));
    const left = new AbortController();
    const { signal } = left;
    const connection = { device: light(1), onlineId: 'connection', ended: signal, isOpen: true };
    const trying = ground.gateway.deviceOnline(connection);
    await ground.signals.count(1);
    connection.isOpen = false;
    left.abort();
    await trying;
    expect(ground.signals.names()).toHaveLength(1);
  });
});
