import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connectAsync } from 'mqtt';
import { generate, parser, type Packet } from 'mqtt-packet';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BrokerLimits } from '../../broker/limits.js';
import { SignInGuard } from '../../broker/sign-in-guard.js';
import {
  Ground,
  light,
  selfSubscribed,
  systemSubscribed,
  sysTopic,
  TARGET,
  topicOf,
  type GroundOptions,
} from './ground.js';

/* Each bound at the bound, and past it. */

let ground: Ground;
afterEach(() => ground.stop());
const start = async (limits: Partial<BrokerLimits>, options: GroundOptions = {}) => {
  ground = await Ground.start({ ...options, limits });
};

const connectPacket = (change: object = {}): Buffer =>
  generate({
    ...systemSubscribed(light(1)),
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 },
    ...change,
  } as unknown as Packet);

function open(): Socket {
  const socket = connect(ground.port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.resume();
    socket.once('close', () => resolve());
  });
/** The return code of the CONNACK; undefined when the connection was closed without one. */
async function returnCodeOf(credentials: {
  clientId: string;
  username: string;
  password: string;
}): Promise<number | undefined> {
  const socket = open();
  const answers = parser();
  const answer = new Promise<number | undefined>((resolve) => {
    answers.on('packet', (packet) => resolve(packet.cmd === 'connack' ? packet.returnCode : undefined));
    socket.once('close', () => resolve(undefined));
  });
  socket.on('data', (bytes) => void answers.parse(bytes));
  socket.write(connectPacket(credentials));
  const code = await answer;
  socket.destroy();
  return code;
}

describe('Connections', () => {
  it('are as many as allowed, and one more is closed at once', async () => {
    await start({ connectionsMax: 2 });
    const [first, second] = [await ground.device(light(1)), await ground.device(light(2))];
    await closed(open());
    expect(await ground.irregularities('too-many-connections')).toBe(1);
    expect(first.client.connected && second.client.connected).toBe(true);
    await first.client.endAsync();
    await ground.device(light(3));
  });

  it('of one address are as many as allowed', async () => {
    await start({ connectionsPerAddressMax: 1 });
    await ground.device(light(1));
    await closed(open());
    const other = connect({ port: ground.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    await once(other, 'connect');
    other.write(connectPacket(systemSubscribed(light(2))));
    expect((await once(other, 'data'))[0]).toEqual(Buffer.from([0x20, 2, 0, 0]));
    other.destroy();
  });

  it('without a CONNECT end after their time', async () => {
    await start({ connectTimeoutMs: 50 });
    await closed(open());
    const slow = open();
    slow.write(connectPacket().subarray(0, 10));
    await closed(slow);
    await ground.device(light(1));
  });
});

describe('Packets', () => {
  it('before the sign-in are as large as allowed', async () => {
    const bytes = connectPacket().length - 2;
    await start({ firstPacketBytesMax: bytes });
    expect(await returnCodeOf(systemSubscribed(light(1)))).toBe(0);
    const larger = open();
    larger.write(connectPacket({ will: { topic: topicOf('inform', light(1)), payload: Buffer.from('x'), qos: 0 } }));
    await closed(larger);
    expect(await ground.irregularities('packet-too-large')).toBe(1);
  });

  it('after it, too', async () => {
    await start({ packetBytesMax: 1_000 });
    const device = await ground.device();
    const topic = sysTopic(light(1), 'x');
    const overhead = 2 + Buffer.byteLength(topic) + 2; // topic length, topic, message id
    await device.publish(topic, 'x'.repeat(1_000 - overhead));
    void device.publish(topic, 'x'.repeat(1_001 - overhead)).catch(() => undefined);
    await device.closed();
  });
});

describe('A keep-alive', () => {
  it.each([0, 3_600])('of %i s is cut to what is allowed: a silent device is dropped', async (keepalive) => {
    await start({ keepAliveSecondsMax: 1 });
    const socket = open();
    socket.write(connectPacket({ keepalive }));
    await closed(socket);
  });
});

describe('A device that sends faster than allowed', () => {
  it('is taken at its pace; nothing of it is dropped, its last report least', async () => {
    await start({ messagesPerSecond: 20 });
    const { taskId } = await ground.notifiedUpdate();
    const device = await ground.device();
    await Promise.all(Array.from({ length: 60 }, (_, n) => device.progress(n)));
    await device.progress(100);
    await device.runs(TARGET);
    expect(await ground.recordOf(taskId)).toMatchObject({ step: 100 });
    await ground.gateway.tellNews();
    expect(ground.signals.names()).toContain('version');
    expect(await ground.irregularities('too-fast')).toBeGreaterThan(0);
    expect(await ground.irregularities('unacknowledged')).toBe(0);
  });

  it('does not slow down others', async () => {
    await start({ messagesPerSecond: 1 });
    const hasty = await ground.device(light(1));
    for (let n = 0; n < 10; n++) void hasty.progress(n).catch(() => undefined);
    const calm = await ground.device(light(2));
    await calm.runs('3.0.0');
    expect((await ground.records.getDevice(light(2)))?.version).toBe('3.0.0');
  });
});

describe('A device that does not read', () => {
  it('is dropped when too much waits for it', async () => {
    await start({ queuedBytesMax: 32 * 1024, messagesPerSecond: 100_000, packetBytesMax: 64 * 1024 });
    const socket = open();
    socket.write(connectPacket());
    await once(socket, 'data');
    socket.pause();
    const query = generate({
      ...{ cmd: 'publish', topic: `/ext/ntp/${light(1).productKey}/${light(1).deviceName}/request`, qos: 0 },
      ...{ payload: JSON.stringify({ deviceSendTime: '1' }), dup: false, retain: false },
    });
    const many = Buffer.concat(Array.from({ length: 2_000 }, () => query));
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const pour = () => {
      while (!socket.destroyed && socket.write(many));
    };
    socket.on('drain', pour);
    pour();
    await ended;
    expect(await ground.irregularities('slow-reader')).toBeGreaterThan(0);
  });

  it('is dropped when it leaves too much unacknowledged', async () => {
    await start({ inFlightMax: 3 });
    const socket = open();
    socket.write(connectPacket());
    await once(socket, 'data');
    socket.resume();
    await vi.waitUntil(() => ground.broker.link.isReachable(light(1)));
    for (let n = 0; n < 3; n++) expect(await ground.broker.link.publishNotification(light(1), 'x')).toBe(true);
    expect(await ground.broker.link.publishNotification(light(1), 'x')).toBe(false);
    await closed(socket);
    expect(await ground.irregularities('slow-reader')).toBe(1);
  });

  it('is not dropped as long as it acknowledges', async () => {
    await start({ inFlightMax: 3 });
    const device = await ground.device();
    for (let n = 0; n < 20; n++) {
      await ground.broker.link.publishNotification(light(1), `${n}`);
      await device.next(topicOf('upgrade', light(1)));
      await device.handled();
    }
    expect(device.client.connected).toBe(true);
  });
});

describe('Failed sign-ins', () => {
  const wrong = (n: number) => systemSubscribed(light(n), 'another-secret');

  it('hold back their address after fifty, whatever names they claim, and tell nobody whether a device exists', async () => {
    await start({});
    const answers = new Set<number | undefined>();
    for (let n = 0; n < 25; n++) {
      answers.add(await returnCodeOf(wrong(1 + (n % 3))));
      answers.add(await returnCodeOf(systemSubscribed({ ...light(1), deviceName: `nobody-${n}` })));
    }
    answers.add(await returnCodeOf(wrong(2)));
    expect([...answers]).toEqual([4]);
    // A real device and one that is none, with the right secret and without: all the same.
    expect(await returnCodeOf(systemSubscribed(light(1)))).toBe(3);
    expect(await returnCodeOf(wrong(1))).toBe(3);
    expect(await returnCodeOf(systemSubscribed({ ...light(1), deviceName: 'nobody' }))).toBe(3);
    expect(await ground.irregularities('sign-in-held-back')).toBe(3);
  });

  it('in a device’s name do not lock it out where it has signed in before', async () => {
    await start({});
    const device = await ground.device(light(1));
    await device.client.endAsync();
    for (let n = 0; n < 30; n++) await returnCodeOf(wrong(1));
    expect(await returnCodeOf(systemSubscribed(light(1)))).toBe(0);
  });

  it('are waited for twice as long each time, and forgotten', async () => {
    await start({});
    let nowMs = 0;
    const guard = new SignInGuard(() => nowMs);
    const untilHeard = () => {
      const sinceMs = nowMs;
      while (!guard.mayTry('address', 'PK/DN')) nowMs += 100;
      return nowMs - sinceMs;
    };
    for (let n = 0; n < 10; n++) guard.failed('another address', 'PK/DN');
    const waits: number[] = [];
    for (let n = 0; n < 7; n++) {
      guard.failed('another address', 'PK/DN');
      waits.push(untilHeard());
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    nowMs += 11 * 60_000;
    guard.failed('another address', 'PK/DN');
    expect(untilHeard()).toBe(0);
  });
});

describe('A signature’s method that is turned off', () => {
  it('is refused, as a wrong secret is', async () => {
    await start({ signMethods: ['sha256'] });
    expect(await returnCodeOf(systemSubscribed(light(1)))).toBe(0);
    expect(
      await returnCodeOf({
        clientId: 'a1X2bEnP82z&light-01|securemode=2,signmethod=hmacsha1,ext=1,_ss=1,lan=Python,_v=1.2.13,sdk=1.2.13|',
        username: 'light-01&a1X2bEnP82z',
        password: '32596018e2f89151889405df8318eb807850abc7',
      }),
    ).toBe(4);
  });
});

describe('A device that is cut off', () => {
  it('loses its connection, its subscriptions and its will at once, and may not come back with its old secret', async () => {
    await start({});
    const { taskId } = await ground.notifiedUpdate();
    const payload = JSON.stringify({ id: 1, params: { step: '-1', desc: 'from the grave' } });
    const will = {
      topic: topicOf('progress', light(1)),
      payload: Buffer.from(payload),
      qos: 1 as const,
      retain: false,
    };
    const device = await ground.connect(light(1), selfSubscribed(light(1)), { clean: false, will });
    await device.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    expect(ground.broker.link.isReachable(light(1))).toBe(true);
    await ground.records.rotateDeviceSecret(light(1), 'the-new-secret');
    const gone = device.closed();
    await ground.broker.link.cutOff(light(1));
    await gone;
    expect(ground.broker.link.isReachable(light(1))).toBe(false);
    expect(await returnCodeOf(selfSubscribed(light(1)))).toBe(4);
    const back = await ground.connect(light(1), selfSubscribed(light(1), 'the-new-secret'), { clean: false });
    expect(ground.broker.link.isReachable(light(1))).toBe(false);
    await back.handled();
    expect((await ground.recordOf(taskId)).status).toBe('notified');
    await ground.broker.link.cutOff(light(3)); // who is not there
  });

  it.each([
    ['is being checked', (cutOff: () => Promise<void>) => cutOff()],
    ['has just been checked', async (cutOff: () => Promise<void>) => void setImmediate(() => void cutOff())],
  ])('is not let in by an old secret that %s', async (_, meanwhile) => {
    await start(
      {},
      {
        spoil: (records) => ({
          ...records,
          async deviceSecret(key) {
            const secret = await records.deviceSecret(key);
            await records.rotateDeviceSecret(key, 'the-new-secret');
            await meanwhile(() => ground.broker.link.cutOff(key));
            return secret;
          },
        }),
      },
    );
    expect(await returnCodeOf(systemSubscribed(light(1)))).toBeUndefined();
    expect(ground.broker.link.isReachable(light(1))).toBe(false);
    expect(await ground.isOnline()).toBe(false);
    const connections = await ground.registry.getSingleMetric('ferry_mqtt_connections')?.get();
    expect(connections?.values[0]?.value).toBe(0);
  });

  it('is refused while it is revoked', async () => {
    await start({});
    await ground.records.revokeDevice(light(1), 5);
    expect(await returnCodeOf(systemSubscribed(light(1)))).toBe(4);
    await ground.records.revokeDevice(light(1), null);
    await (await connectAsync(ground.url, { ...systemSubscribed(light(1)), reconnectPeriod: 0 })).endAsync();
  });
});
