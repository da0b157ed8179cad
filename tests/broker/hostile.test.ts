import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createIrregularities } from '../../broker/irregularities.js';
import { Ground, light, PRODUCT, sysTopic, systemSubscribed, TARGET, topicOf } from './ground.js';

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.start();
});
afterEach(() => ground.stop());

function open(): { readonly socket: Socket; readonly closed: Promise<void> } {
  const socket = connect(ground.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve())) };
}

const connectPacket = (change: object = {}): Buffer =>
  generate({
    ...systemSubscribed(light(1)),
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    ...change,
  } as unknown as Packet);

const levels = (n: number) => Array.from({ length: n }, () => 'x').join('/');

/** A device that is served whatever happens to others. */
const stillServes = async () => {
  const device = await ground.device(light(3));
  await device.runs('1.2.3');
  expect((await ground.records.getDevice(light(3)))?.version).toBe('1.2.3');
  await device.client.endAsync();
};

describe('a hostile network', () => {
  it.each([
    ['no MQTT', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    [
      'a PUBLISH before any CONNECT',
      generate({
        cmd: 'publish',
        topic: topicOf('inform', light(1)),
        payload: '{}',
        qos: 0,
        dup: false,
        retain: false,
      }),
    ],
    [
      'a SUBSCRIBE before any CONNECT',
      generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] }),
    ],
    ['a packet that announces 256 MB', Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])],
    ['a CONNECT of 9 KB', connectPacket({ clientId: 'x'.repeat(9 * 1024) })],
    ['a length of five bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01])],
    ['a second CONNECT', Buffer.concat([connectPacket(), connectPacket()])],
    ['zeros', Buffer.alloc(4096)],
  ])('%s ends the connection, and nothing else', async (_, bytes) => {
    const { socket, closed } = open();
    socket.write(bytes);
    await closed;
    await stillServes();
  });

  it('a device that announces too large a packet after its sign-in is dropped at once', async () => {
    const { socket, closed } = open();
    socket.write(connectPacket());
    socket.write(Buffer.from([0x30, 0x81, 0x80, 0x04])); // 64 KiB and one byte, none of which follow
    await closed;
    expect(await ground.irregularities('packet-too-large')).toBe(1);
    await stillServes();
  });

  it('a message just within the limit passes', async () => {
    const device = await ground.device();
    await device.publish(sysTopic(light(1), 'thing/x'), 'x'.repeat(60 * 1024));
    expect(await ground.irregularities('malformed-payload')).toBe(1);
  });

  it('topics of 101 levels crash nothing', async () => {
    const deep = `/${PRODUCT}/light-01/${levels(98)}`;
    expect(deep.split('/')).toHaveLength(101);
    const packets = [
      generate({ cmd: 'publish', topic: deep, payload: 'x', qos: 1, messageId: 1, dup: false, retain: true }),
      generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: deep, qos: 1 }] }),
      generate({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [deep] }),
    ];
    for (const packet of packets) {
      const { socket, closed } = open();
      socket.write(Buffer.concat([connectPacket(), packet]));
      await closed;
    }
    const will = { topic: deep, payload: Buffer.from('x'), qos: 1, retain: true };
    const { socket, closed } = open();
    socket.write(Buffer.concat([connectPacket({ will }), Buffer.from([0xf0, 0x00])]));
    await closed;
    await stillServes();
  });

  it('rubbish bytes after a good sign-in change nothing and crash nothing', async () => {
    const { taskId } = await ground.notifiedUpdate();
    for (let n = 0; n < 50; n++) {
      const { socket, closed } = open();
      socket.write(Buffer.concat([connectPacket(), randomBytes(300)]));
      socket.end();
      await closed;
    }
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'notified', step: null });
    await stillServes();
  });

  it('rubbish payloads on every topic are acknowledged, counted, and change nothing', async () => {
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    const topics = [
      topicOf('inform', light(1)),
      topicOf('progress', light(1)),
      topicOf('request', light(1)),
      sysTopic(light(1), 'thing/ota/firmware/get'),
      sysTopic(light(1), 'thing/event/property/post'),
      `/ext/ntp/${PRODUCT}/light-01/request`,
    ];
    const rubbish = [
      '',
      '{',
      'null',
      '[]',
      '{"params":',
      '\u0000',
      '{"params":{"step":[]},"version":{}',
      '"x"',
      randomBytes(100),
    ];
    for (const topic of topics) for (const payload of rubbish) await device.publish(topic, payload);
    expect(await ground.irregularities('malformed-payload')).toBe(topics.length * rubbish.length);
    expect(ground.logged.filter(({ kind }) => kind === 'malformed-payload')).toHaveLength(1);
    expect(await ground.recordOf(taskId)).toMatchObject({ status: 'notified', step: null });
    expect(device.client.connected).toBe(true);
  });

  it('any JSON in the place of a report crashes nothing', async () => {
    const device = await ground.device();
    const samples = fc.sample(fc.json(), { numRuns: 200, seed: 7 });
    await Promise.all(samples.map((json, n) => device.publish(topicOf(n % 2 ? 'progress' : 'inform', light(1)), json)));
    expect(device.client.connected).toBe(true);
  });

  it('many packets in one go before the CONNACK are bounded', async () => {
    const { socket, closed } = open();
    const inform = generate({
      cmd: 'publish',
      topic: topicOf('inform', light(1)),
      payload: JSON.stringify({ params: { version: TARGET } }),
      qos: 0,
      dup: false,
      retain: false,
    });
    socket.write(Buffer.concat([connectPacket(), ...Array.from({ length: 200 }, () => inform)]));
    await closed;
    await stillServes();
  });

  it('remembers a bounded number of devices as logged', () => {
    let lines = 0;
    const irregularities = createIrregularities({
      metrics: ground.metrics,
      log: {
        warn: () => {
          lines++;
        },
      },
    });
    irregularities.note('retained', 'first');
    for (let n = 0; n < 10_000; n++) irregularities.note('retained', `device ${n}`);
    irregularities.note('retained', 'device 9999');
    expect(lines).toBe(10_001);
    irregularities.note('retained', 'first'); // forgotten since
    expect(lines).toBe(10_002);
  });
});
