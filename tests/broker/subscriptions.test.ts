import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  Ground,
  light,
  PRODUCT,
  selfSubscribed,
  systemSubscribed,
  sysTopic,
  topicOf,
  type TestDevice,
} from './ground.js';

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.start();
});
afterEach(() => ground.stop());

const upgrade = topicOf('upgrade', light(1));
const notify = (n = 1) => ground.broker.link.publishNotification(light(n), `for ${n}`);

describe('subscriptions', () => {
  it('a device with _ss=1 gets its notification without any SUBSCRIBE, at quality 1', async () => {
    const device = await ground.device();
    expect(ground.broker.link.isReachable(light(1))).toBe(true);
    expect(await notify()).toBe(true);
    expect(await device.next(upgrade)).toMatchObject({ payload: 'for 1', qos: 1, retain: false });
  });

  it('a device without it is reachable once it has subscribed, and no longer once it has unsubscribed', async () => {
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    expect(await notify()).toBe(false);
    await device.client.subscribeAsync(upgrade, { qos: 1 });
    expect(await notify()).toBe(true);
    await device.next(upgrade);
    await device.client.unsubscribeAsync(upgrade);
    expect(ground.broker.link.isReachable(light(1))).toBe(false);
    expect(await notify()).toBe(false);
    expect(device.received).toEqual([]);
  });

  it('a device that is not there is not reachable', async () => {
    expect(ground.broker.link.isReachable(light(3))).toBe(false);
    expect(await notify(3)).toBe(false);
  });

  it('delivers no better quality than was asked for', async () => {
    const device = await ground.connect(light(1), selfSubscribed(light(1)), { clean: false });
    await device.client.subscribeAsync(upgrade, { qos: 0 });
    await notify();
    expect((await device.next(upgrade)).qos).toBe(0);
  });

  it("grants Node's sixteen SUBSCRIBEs one by one, foreign ones with 128, and the connection lives on", async () => {
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    const own = [
      upgrade,
      topicOf('request', light(1)),
      sysTopic(light(1), 'thing/ota/firmware/get_reply'),
      sysTopic(light(1), 'thing/event/property/post_reply'),
      sysTopic(light(1), 'thing/event/+/post_reply'),
      sysTopic(light(1), 'thing/service/property/set'),
      sysTopic(light(1), 'thing/config/push'),
      sysTopic(light(1), 'thing/deviceinfo/update_reply'),
      sysTopic(light(1), 'thing/deviceinfo/delete_reply'),
      sysTopic(light(1), 'rrpc/request/+'),
      `/shadow/get/${PRODUCT}/light-01`,
      `/ext/ntp/${PRODUCT}/light-01/response`,
      `/${PRODUCT}/light-01/user/get`,
    ];
    const foreign = ['/ext/rrpc/+/a/b', `/broadcast/${PRODUCT}/news`, '/ext/session/combine/login_reply'];
    const granted = await Promise.all(
      [...own, ...foreign].map((topic) =>
        device.client.subscribeAsync(topic, { qos: 1 }).then(
          () => topic,
          () => null,
        ),
      ),
    );
    expect(granted.filter((topic) => topic !== null)).toEqual(own);
    await notify();
    await device.next(upgrade);
  });

  it.each([
    '#',
    '+/#',
    '/#',
    '/ota/#',
    '/ota/device/upgrade/#',
    `/ota/device/upgrade/${PRODUCT}/+`,
    `/ota/device/upgrade/${PRODUCT}/light-02`,
    `/ota/device/+/${PRODUCT}/#`,
    `/sys/${PRODUCT}/light-02/#`,
    `/sys/${PRODUCT}/+/thing/ota/firmware/get_reply`,
    '/sys/+/+/thing/ota/firmware/get_reply',
    `/${PRODUCT}/light-02/user/x`,
    '$SYS/#',
    '$SYS/+/new/clients',
    '$SYS/ferry/consumed',
    `$share/all/ota/device/upgrade/${PRODUCT}/light-01`,
  ])('refuses %s', async (filter) => {
    const device = await ground.device();
    await expect(device.client.subscribeAsync(filter)).rejects.toThrow();
    await device.handled();
    expect(await ground.irregularities('foreign-subscription')).toBe(1);
  });

  it('refuses the hundred and first filter of a session', async () => {
    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    for (let n = 0; n < 100; n++) await device.client.subscribeAsync(sysTopic(light(1), `thing/${n}`));
    await expect(device.client.subscribeAsync(sysTopic(light(1), 'thing/100'))).rejects.toThrow();
    expect(await ground.irregularities('too-many-subscriptions')).toBe(1);
    expect(await ground.irregularities('foreign-subscription')).toBe(0);
    await device.client.subscribeAsync(sysTopic(light(1), 'thing/99'));
  });
});

describe('one SUBSCRIBE of many filters', () => {
  const own = (n: number) => `/${PRODUCT}/light-01/${n}`;
  const filters = (count: number) => [upgrade, ...Array.from({ length: count - 1 }, (_, n) => own(n))];
  /** The return codes of its SUBACK. */
  const subscribe = async (device: TestDevice, topics: readonly string[]) => {
    const answer = new Promise<readonly unknown[]>((resolve) => {
      device.client.on('packetreceive', (packet) => {
        if (packet.cmd === 'suback') resolve(packet.granted);
      });
    });
    await device.client.subscribeAsync([...topics], { qos: 1 }).catch(() => undefined);
    return answer;
  };

  it.each([true, false])('is refused the hundred and first, as many SUBSCRIBEs are (clean: %s)', async (clean) => {
    const device = await ground.connect(light(1), selfSubscribed(light(1)), { clean });
    expect(await subscribe(device, filters(101))).toEqual([...Array<number>(100).fill(1), 128]);
    expect(await ground.irregularities('too-many-subscriptions')).toBe(1);
  });

  it('costs no more than its length, and keeps only what was granted with the session', async () => {
    const kept = { clean: false };
    const device = await ground.connect(light(1), selfSubscribed(light(1)), kept);
    const before = process.cpuUsage();
    const granted = await subscribe(device, filters(2_000));
    // Of CPU, which no other process lengthens: several seconds, if each filter handled all of them.
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(1_000);
    expect(granted.filter((code) => code === 1)).toHaveLength(100);
    await device.client.endAsync();
    const refused = await ground.irregularities('too-many-subscriptions');

    const back = await ground.connect(light(1), selfSubscribed(light(1)), kept);
    expect(await ground.irregularities('too-many-subscriptions')).toBe(refused);
    expect(await notify()).toBe(true);
    await back.next(upgrade);
    expect(await subscribe(back, [own(98)])).toEqual([1]); // it has it
    back.client.removeAllListeners('packetreceive');
    expect(await subscribe(back, [own(99)])).toEqual([128]);
    await back.client.unsubscribeAsync(own(98));
    back.client.removeAllListeners('packetreceive');
    expect(await subscribe(back, [own(99)])).toEqual([1]);
  });

  it('is kept with the session as it was when the device unsubscribes at once', async () => {
    const kept = { clean: false };
    const device = await ground.connect(light(1), selfSubscribed(light(1)), kept);
    await Promise.all([subscribe(device, filters(3)), device.client.unsubscribeAsync(upgrade)]);
    await device.client.endAsync();
    await ground.connect(light(1), selfSubscribed(light(1)), kept);
    expect(ground.broker.link.isReachable(light(1))).toBe(false);
  });
});

describe('what devices publish', () => {
  it('never reaches another device, nor comes back, whatever is subscribed, now or in a kept session', async () => {
    const kept = { clean: false };
    const watcher = await ground.connect(light(2), selfSubscribed(light(2)), kept);
    const filters = ['#', '$SYS/#', `/sys/${PRODUCT}/#`, `/sys/${PRODUCT}/light-01/#`, sysTopic(light(2), '#')];
    await watcher.client.subscribeAsync(filters, { qos: 1 }).catch(() => undefined);
    await watcher.client.endAsync();
    const refused = await ground.irregularities('foreign-subscription');
    expect(refused).toBe(4);

    const device = await ground.connect(light(1), selfSubscribed(light(1)));
    await device.client.subscribeAsync([sysTopic(light(1), '#'), topicOf('request', light(1))], { qos: 1 });
    for (const qos of [0, 1, 2] as const) {
      await device.publish(topicOf('inform', light(1)), { params: { version: '1.0.0' } }, qos);
      await device.publish(sysTopic(light(1), 'thing/event/property/post'), { params: {} }, qos);
      await device.publish(topicOf('request', light(1)), 'no question', qos);
    }
    await device.handled();
    expect(device.received).toEqual([]);

    const back = await ground.connect(light(2), selfSubscribed(light(2)), kept);
    await ground.broker.link.publishNotification(light(2), 'none');
    await back.handled();
    expect(back.received).toEqual([]);
    expect(await ground.irregularities('foreign-subscription')).toBe(refused); // they were not kept with the session
  });

  it('to a topic that is not its own is acknowledged, counted, logged once, and changes nothing', async () => {
    const device = await ground.device(light(1));
    const foreign = [
      topicOf('inform', light(2)),
      '$SYS/x',
      'inform',
      `/sys/${PRODUCT}/light-02/thing/ota/firmware/get`,
    ];
    for (const topic of [...foreign, ...foreign]) {
      await device.publish(topic, { id: 1, params: { version: '9.9.9' } });
    }
    expect((await ground.records.getDevice(light(2)))?.version).toBeNull();
    expect((await ground.records.getDevice(light(1)))?.version).toBeNull();
    expect(await ground.irregularities('foreign-topic')).toBe(8);
    expect(ground.logged.filter(({ kind }) => kind === 'foreign-topic')).toHaveLength(1);
    expect(device.client.connected).toBe(true);
  });

  it('is not retained', async () => {
    const device = await ground.device();
    const topic = sysTopic(light(1), 'thing/x');
    await device.client.publishAsync(topic, 'kept?', { qos: 1, retain: true });
    await device.client.subscribeAsync(topic);
    await device.handled();
    expect(device.received).toEqual([]);
    expect(await ground.irregularities('retained')).toBe(1);
  });

  it('as a will speaks for the device alone', async () => {
    const report = Buffer.from(JSON.stringify({ id: 1, params: { version: '6.6.6' } }));
    for (const victim of [2, 1]) {
      const device = await ground.connect(light(1), systemSubscribed(light(1)), {
        will: { topic: topicOf('inform', light(victim)), payload: report, qos: 1, retain: true },
      });
      device.client.stream.destroy();
    }
    const version = async (n: number) => (await ground.records.getDevice(light(n)))?.version;
    while ((await version(1)) === null) await new Promise((resolve) => setImmediate(resolve));
    expect(await version(1)).toBe('6.6.6');
    expect(await version(2)).toBeNull();
    expect(await ground.irregularities('foreign-will')).toBe(1);
    expect(await ground.irregularities('foreign-topic')).toBe(0);
  });

  it('with a will of a stranger is not even looked at', async () => {
    const will = { topic: topicOf('inform', light(1)), payload: Buffer.from('x'), qos: 1 as const, retain: true };
    const stranger = {
      ...systemSubscribed(light(1), 'wrong-secret'),
      will,
      reconnectPeriod: 0,
      protocolVersion: 4 as const,
    };
    await expect(connectAsync(ground.url, stranger)).rejects.toThrow();
    await (await ground.device()).handled();
    expect(await ground.irregularities('malformed-payload')).toBe(0);
  });
});
