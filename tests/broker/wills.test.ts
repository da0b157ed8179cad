import { once } from 'node:events';
import { connect } from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Ground, light, systemSubscribed, topicOf, unhandledRejections } from './ground.js';

/** Four heartbeats of aedes: it looks for the wills of brokers that it believes dead. */
const SEARCH_MS = 240_000;

let ground: Ground;
let failuresReported: number;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  failuresReported = 0;
  ground = await Ground.start({
    spoil: (records) => ({
      ...records,
      failureReported: (...report) => {
        failuresReported++;
        return records.failureReported(...report);
      },
    }),
  });
});
afterEach(async () => {
  await ground.stop();
  vi.useRealTimers();
});

const will = {
  topic: topicOf('progress', light(1)),
  payload: Buffer.from(JSON.stringify({ id: 1, params: { step: '-1', desc: 'from the grave' } })),
  qos: 1 as const,
  retain: false,
};

describe('a will', () => {
  it('is not taken for a report while its device is connected, however long', async () => {
    await ground.notifiedUpdate();
    const device = await ground.connect(light(1), systemSubscribed(light(1)), { will, keepalive: 0 });
    const acknowledged: (number | undefined)[] = [];
    device.client.on('packetreceive', (packet) => {
      if (packet.cmd === 'puback') acknowledged.push(packet.messageId);
    });
    await vi.advanceTimersByTimeAsync(SEARCH_MS);
    await device.handled();
    await device.handled();
    expect(failuresReported).toBe(0);
    expect(acknowledged).toHaveLength(2);
    expect(acknowledged).not.toContain(0);
  });

  it('of a device that is gone at once costs nobody else anything', async () => {
    const unhandled = unhandledRejections();
    const socket = connect(ground.port, '127.0.0.1').resume();
    const packet = { ...systemSubscribed(light(1)), cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, will };
    socket.end(generate({ ...packet, clean: true, keepalive: 60 } as unknown as Packet));
    await once(socket, 'close');
    await vi.advanceTimersByTimeAsync(SEARCH_MS);
    const device = await ground.connect(light(2), systemSubscribed(light(2)), { keepalive: 0 });
    await device.handled();
    expect(unhandled()).toEqual([]);
  });

  it('is handled once when the connection breaks', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.connect(light(1), systemSubscribed(light(1)), { will, keepalive: 0 });
    await ground.signals.count(1); // online
    device.client.stream.destroy();
    await ground.signals.count(2);
    await vi.advanceTimersByTimeAsync(SEARCH_MS);
    await (await ground.connect(light(1), systemSubscribed(light(1)), { keepalive: 0 })).handled();
    expect(failuresReported).toBe(1);
    expect(ground.signals.sent.find(({ name }) => name === 'failure')?.message).toMatchObject({
      taskId,
      description: 'from the grave',
    });
  });

  it('is dropped when the device leaves in good order', async () => {
    await ground.notifiedUpdate();
    const device = await ground.connect(light(1), systemSubscribed(light(1)), { will, keepalive: 0 });
    await device.client.endAsync();
    await ground.becomes(false);
    await vi.advanceTimersByTimeAsync(SEARCH_MS);
    await (await ground.connect(light(1), systemSubscribed(light(1)), { keepalive: 0 })).handled();
    expect(failuresReported).toBe(0);
  });
});
