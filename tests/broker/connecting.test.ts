import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { connectAsync, type ErrorWithReasonCode } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEmbeddedBroker } from '../../broker/embedded-broker.js';
import { FLAVOURS, USERNAME } from './flavours.js';
import { Ground, light, PRODUCT, selfSubscribed, systemSubscribed, TARGET, topicOf } from './ground.js';

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.start();
});
afterEach(() => ground.stop());

const refusalOf = (options: object) =>
  connectAsync(ground.url, { protocolVersion: 4, reconnectPeriod: 0, ...options }).then(
    () => undefined,
    (error: unknown) => (error as ErrorWithReasonCode).code,
  );

describe('connecting', () => {
  it.each(Object.entries(FLAVOURS))('%s signs in and is heard', async (_, { clientId, password = '' }) => {
    const device = await ground.connect(light(1), { clientId, password, username: USERNAME });
    await device.runs('1.0.0');
    expect((await ground.records.getDevice(light(1)))?.version).toBe('1.0.0');
  });

  it('refuses a wrong secret, an unknown device and no credentials alike, with return code 4', async () => {
    expect(await refusalOf(systemSubscribed(light(1), 'another-secret'))).toBe(4);
    expect(await refusalOf(systemSubscribed(light(9)))).toBe(4);
    expect(await refusalOf({ clientId: 'x' })).toBe(4);
    expect(await refusalOf({ clientId: 'x', username: 'admin', password: 'admin' })).toBe(4);
    expect(await ground.isOnline()).toBe(false);
    expect(await ground.irregularities('sign-in-refused')).toBe(4);
  });

  it('says to operators why it refused whom: in the log, once each, by a metric, and on the device', async () => {
    await ground.records.revokeDevice(light(3), 5);
    for (let n = 0; n < 2; n++) await refusalOf(systemSubscribed(light(1), 'another-secret'));
    await refusalOf(systemSubscribed(light(9)));
    await refusalOf(systemSubscribed(light(3)));
    await refusalOf({ clientId: 'x', username: 'admin', password: 'admin' });
    const reasons = async () => {
      const text = await ground.registry.getSingleMetricAsString('ferry_mqtt_sign_ins_refused_total');
      const found = text.matchAll(/reason="(.+)"} (\d+)/g);
      return Object.fromEntries([...found].map(([, reason, count]) => [reason ?? '', Number(count)]));
    };
    while (Object.keys(await reasons()).length < 4) await new Promise((resolve) => setImmediate(resolve));
    expect(await reasons()).toEqual({ 'wrong-secret': 2, 'unknown-device': 1, revoked: 1, malformed: 1 });
    const lines = ground.logged.filter(({ kind }) => kind === 'sign-in-refused');
    // Each is looked up on its own, a little after its refusal: the order is not theirs.
    expect(new Map(lines.map(({ subject, reason }) => [subject, reason]))).toEqual(
      new Map([
        [`${PRODUCT}/light-01`, 'wrong-secret'],
        [`${PRODUCT}/light-09`, 'unknown-device'],
        [`${PRODUCT}/light-03`, 'revoked'],
        ['127.0.0.1', 'malformed'],
      ]),
    );
    expect(lines).toHaveLength(4);
    const refused = { reason: 'wrong-secret', address: '127.0.0.1' };
    expect(await ground.records.getDevice(light(1))).toMatchObject({ refusedSignIn: refused });
    expect(await ground.records.getDevice(light(3))).toMatchObject({ refusedSignIn: { reason: 'revoked' } });
    expect(await ground.records.getDevice(light(2))).toMatchObject({ refusedSignIn: null });
  });

  it('names a device that two units sign in as', async () => {
    await ground.device();
    for (let n = 0; n < 2; n++) await ground.device();
    expect(await ground.irregularities('name-clash')).toBe(0);
    await ground.device();
    expect(await ground.irregularities('name-clash')).toBe(1);
    expect(ground.logged).toContainEqual(
      expect.objectContaining({ kind: 'name-clash', subject: `${PRODUCT}/light-01` }) as object,
    );
    const clash = async () => (await ground.records.getDevice(light(1)))?.nameClash;
    while ((await clash()) === null) await new Promise((resolve) => setImmediate(resolve));
    expect(await clash()).toMatchObject({ addresses: ['127.0.0.1', '127.0.0.1'] });
  });

  it.each([
    ['level 5', 'MQTT', 5],
    ['level 6', 'MQTT', 6],
    ['level 0', 'MQTT', 0],
    ['level 127', 'MQTT', 127],
    ['a name that is none', 'MQTTX', 4],
    ['an empty name', '', 4],
  ])('answers a CONNECT of %s by return code 1, and ends', async (_, name, level) => {
    const text = (value: string) => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
    const body = Buffer.concat([
      text(name),
      Buffer.from([level, 2, 0, 60]),
      ...(level === 5 ? [Buffer.from([0])] : []),
      text('x'),
    ]);
    const socket = connectSocket(ground.port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
    await once(socket, 'close');
    expect(Buffer.concat(received)).toEqual(Buffer.from([0x20, 2, 0, 1]));
    expect(await ground.irregularities('protocol-error')).toBe(1);
    await ground.device();
  });

  it('refuses one device with the credentials of another', async () => {
    const { username } = systemSubscribed(light(2));
    expect(await refusalOf({ ...systemSubscribed(light(1)), username })).toBe(4);
  });

  it('refuses MQTT 5, and stays there for others', async () => {
    await expect(
      connectAsync(ground.url, { ...systemSubscribed(light(1)), protocolVersion: 5, reconnectPeriod: 0 }),
    ).rejects.toThrow();
    await ground.device();
  });

  it('accepts MQTT 3.1, and keep-alive up to 1200 s', async () => {
    const device = await ground.connect(light(1), systemSubscribed(light(1)), {
      protocolVersion: 3,
      protocolId: 'MQIsdp',
      keepalive: 1200,
    });
    await device.runs('1.0.0');
    expect((await ground.records.getDevice(light(1)))?.version).toBe('1.0.0');
  });

  it('records who is online, and no longer is', async () => {
    expect(await ground.isOnline()).toBe(false);
    const device = await ground.device();
    await ground.becomes(true);
    await device.client.endAsync();
    await ground.becomes(false);
  });

  it('lets a second connection take over, with another client id, and the device stays online', async () => {
    const first = await ground.device();
    const ended = first.closed();
    const second = await ground.connect(light(1), selfSubscribed(light(1)), {
      clientId: selfSubscribed(light(1)).clientId,
    });
    await ended;
    await second.client.subscribeAsync(topicOf('upgrade', light(1)), { qos: 1 });
    await second.handled();
    await ground.becomes(true);
    expect(await ground.broker.link.publishNotification(light(1), 'hello')).toBe(true);
    expect((await second.next(topicOf('upgrade', light(1)))).payload).toBe('hello');
    expect(first.received).toEqual([]);
    await second.client.endAsync();
    await ground.becomes(false);
  });

  it('keeps one of ten connections that come at once, reachable and online', async () => {
    const devices = await Promise.all(Array.from({ length: 10 }, () => ground.device().catch(() => undefined)));
    const open = () => devices.filter((device) => device?.client.connected);
    while (open().length > 1) await new Promise((resolve) => setImmediate(resolve));
    await open()[0]?.handled();
    await ground.becomes(true);
    expect(await ground.broker.link.publishNotification(light(1), 'hello')).toBe(true);
    expect((await open()[0]?.next(topicOf('upgrade', light(1))))?.payload).toBe('hello');
  });

  it('serves the last of many connections that come and break, and no other', async () => {
    for (let n = 0; n < 20; n++) {
      const first = await ground.device();
      first.client.stream.destroy();
      const [second] = await Promise.all([ground.device(), first.closed()]);
      const last = await ground.device();
      while (second.client.connected) await new Promise((resolve) => setImmediate(resolve));
      expect(await ground.broker.link.publishNotification(light(1), `hello ${n}`)).toBe(true);
      expect((await last.next(topicOf('upgrade', light(1)))).payload).toBe(`hello ${n}`);
    }
  });

  it('keeps the session for the device, whatever its client id was, and sends nothing old', async () => {
    const upgrade = topicOf('upgrade', light(1));
    const first = await ground.connect(light(1), selfSubscribed(light(1)), { clean: false });
    await first.client.subscribeAsync([upgrade, `/sys/${PRODUCT}/light-01/#`], { qos: 1 });
    first.client.stream.pause(); // takes nothing any more, and acknowledges nothing
    expect(await ground.broker.link.publishNotification(light(1), 'old')).toBe(true);
    await first.client.endAsync(true);
    await ground.becomes(false);

    const { clientId, ...rest } = systemSubscribed(light(1));
    const second = await ground.connect(
      light(1),
      { ...rest, clientId: clientId.replace('_ss=1', '_ss=0') },
      { clean: false },
    );
    expect(ground.broker.link.isReachable(light(1))).toBe(true);
    expect(await ground.broker.link.publishNotification(light(1), 'new')).toBe(true);
    expect((await second.next(upgrade)).payload).toBe('new');
  });

  it('says what to do when its port is in use', async () => {
    const { port } = ground.broker;
    const { gateway, records } = ground;
    const options = {
      host: '127.0.0.1',
      port,
      records,
      gateway,
      metrics: ground.metrics,
      log: { warn: () => undefined },
    };
    await expect(startEmbeddedBroker(options)).rejects.toThrow(
      `port ${port} on 127.0.0.1 is in use. Set FERRY_MQTT_PORT to a free port, or to 0 for any.`,
    );
  });

  it('counts nobody as online after it has closed, nor after a start', async () => {
    await ground.device();
    await ground.becomes(true);
    await ground.broker.close();
    expect(await ground.isOnline()).toBe(false);

    await ground.records.deviceConnected(light(1), 'of a process that was killed', 1);
    const { gateway, records } = ground;
    const options = {
      host: '127.0.0.1',
      port: 0,
      records,
      gateway,
      metrics: ground.metrics,
      log: { warn: () => undefined },
    };
    const restarted = await startEmbeddedBroker(options);
    expect(await ground.isOnline()).toBe(false);
    await restarted.close();
  });

  it('finishes the reports that it has begun before it is closed', async () => {
    await ground.stop();
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = () => undefined as void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    ground = await Ground.start({
      spoil: (records) => ({
        ...records,
        versionReported: async (...report) => {
          begun();
          await held;
          return records.versionReported(...report);
        },
      }),
    });
    await ground.notifiedUpdate();
    const device = await ground.device();
    const published = device.runs(TARGET).then(
      () => 'acknowledged',
      () => 'unacknowledged',
    );
    await hasBegun;
    let isClosed = false;
    const closed = ground.broker.close().then(() => (isClosed = true));
    await device.closed();
    await ground.isOnline();
    expect(isClosed).toBe(false);
    release();
    await closed;
    expect(await ground.isOnline()).toBe(false);
    await device.client.endAsync(true);
    expect(await published).toBe('unacknowledged');
    expect((await ground.records.getDevice(light(1)))?.version).toBe(TARGET);
  });

  it('handles what a device has sent before its newer connection’s messages: nothing old overwrites', async () => {
    await ground.stop();
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = () => undefined as void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const order: string[] = [];
    ground = await Ground.start({
      spoil: (records) => ({
        ...records,
        versionReported: async (key, report) => {
          if (report.module === 'slow') {
            begun();
            await held;
          }
          order.push(report.version);
          return records.versionReported(key, report);
        },
      }),
    });
    const old = await ground.device();
    const failing = [old.runs('1.0.0', 'slow'), old.runs('1.0.0')].map((sent) => sent.catch(() => undefined));
    await hasBegun;
    const taken = old.closed();
    const { clientId, username, password } = systemSubscribed(light(1));
    const client = await connectAsync(ground.url, { clientId, username, password, protocolVersion: 4 });
    const sent = client.publishAsync(topicOf('inform', light(1)), JSON.stringify({ params: { version: '2.0.0' } }), {
      qos: 1,
    });
    await taken;
    release();
    await sent;
    expect(order).toEqual(['1.0.0', '1.0.0', '2.0.0']);
    expect((await ground.records.getDevice(light(1)))?.version).toBe('2.0.0');
    await Promise.all([client.endAsync(true), old.client.endAsync(true), ...failing]);
  });
});
