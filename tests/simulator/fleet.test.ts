import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { Behaviour } from '../../cli/simulator/behaviour.js';
import { FLAVOURS, type Flavour } from '../../cli/simulator/flavour.js';
import { createFleet, type Fleet } from '../../cli/simulator/fleet.js';
import type { Timing } from '../../cli/simulator/timing.js';
import { VendorPlatform } from './vendor-platform.js';

const FAST: Partial<Timing> = {
  stepDelayMs: 5,
  burnMs: 5,
  rebootMs: 5,
  slowFactor: 4,
  dropMs: 5,
  offlineMs: Infinity,
  reconnectMs: 10,
};

const AWAY = { awayMs: 5 };
const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

/** One device of the behaviour on a platform of its own, connected. */
async function device(behaviour: Behaviour, timing: Partial<Timing> = {}, flavour: Flavour = FLAVOURS[0]) {
  const platform = await VendorPlatform.start('PK', randomBytes(300_000));
  running.push(platform);
  const triple = platform.register('sim-1');
  const fleet = createFleet({
    mqttUrl: platform.mqttUrl,
    productKey: 'PK',
    devices: [{ ...triple, version: '1.0.0', behaviour, flavour }],
    timing: { ...FAST, ...timing },
  });
  running.push(fleet);
  await fleet.start();
  return { platform, fleet };
}

const happened = (fleet: Fleet, kind: keyof ReturnType<Fleet['counts']>['events'], times = 1) =>
  fleet.until(() => fleet.counts().events[kind] >= times);

describe('a repeated notification', () => {
  it('is counted; a device of the behaviour "restarts" begins its download anew, others go on', async () => {
    for (const [behaviour, ends] of [
      [Behaviour.RESTARTS, ['abandoned', 'succeeded']],
      [Behaviour.OK, ['succeeded']],
    ] as const) {
      const { platform, fleet } = await device(behaviour, { stepDelayMs: 50 });
      platform.notify('sim-1');
      await happened(fleet, 'progress');
      platform.notify('sim-1');
      await happened(fleet, 'succeeded');
      expect(fleet.counts().events.renotified).toBe(1);
      expect(fleet.accounts('sim-1').map(({ end }) => end)).toEqual(ends);
    }
  });
});

describe('ways of reporting', () => {
  it('"unacknowledged" sends every report at QoS 0', async () => {
    const { platform, fleet } = await device('unacknowledged', {}, FLAVOURS[1]);
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
    await platform.until(() => platform.versions('sim-1').includes('2.0.0'));
    expect(new Set(platform.reports.map(({ qos }) => qos))).toEqual(new Set([0]));
  });

  it('"quiet" reports no percentage, and the new version', async () => {
    const { platform, fleet } = await device('quiet');
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
    await platform.until(() => platform.versions('sim-1').includes('2.0.0'));
    expect(platform.steps('sim-1')).toEqual([]);
  });

  it('"away-in-mid-update" leaves half-way, comes back and goes on with a Range', async () => {
    const { platform, fleet } = await device('away-in-mid-update', AWAY);
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
    expect(fleet.counts().events.resumed).toBe(1);
    expect(platform.steps('sim-1')).toEqual([0, 25, 50, 75, 100]);
  });
});

describe('every flavour', () => {
  it.each(FLAVOURS)('$name signs in, is notified, updates, and reports the new version', async (flavour) => {
    const { platform, fleet } = await device('ok', {}, flavour);
    platform.notify('sim-1', { signMethod: flavour.name === 'rust' ? 'SHA256' : 'Md5' });
    await happened(fleet, 'succeeded');
    await platform.until(() => platform.versions('sim-1').includes('2.0.0'));
    expect(platform.steps('sim-1')).toEqual([0, 25, 50, 75, 100]);
    expect(platform.versions('sim-1')).toEqual(['1.0.0', '2.0.0']);
    expect(platform.clientIds.every((id) => id.includes('_ss=1') === (flavour.subscribes('', '').length === 0))).toBe(
      true,
    );
    expect(fleet.accounts('sim-1')).toEqual([{ version: '2.0.0', end: 'succeeded' }]);
  });

  it('covers both kinds of subscription, ids and steps as texts and numbers, and a module that is null', async () => {
    const platform = await VendorPlatform.start('PK', randomBytes(1_000));
    running.push(platform);
    const devices = FLAVOURS.map((flavour, i) => ({
      ...platform.register(`sim-${i}`),
      version: '1.0.0',
      behaviour: Behaviour.OK,
      flavour,
    }));
    const fleet = createFleet({ mqttUrl: platform.mqttUrl, productKey: 'PK', devices, timing: FAST });
    running.push(fleet);
    await fleet.start();
    devices.forEach(({ deviceName }) => platform.notify(deviceName));
    await happened(fleet, 'succeeded', devices.length);
    const kinds = (values: readonly unknown[]) => new Set(values.map((value) => typeof value));
    const ofUpdates = platform.reports.filter(({ topic }) => topic.startsWith('/ota/'));
    expect(kinds(ofUpdates.map(({ body }) => body.id))).toEqual(new Set(['string', 'number']));
    expect(
      kinds(ofUpdates.filter(({ topic }) => topic.includes('progress')).map(({ body }) => body.params['step'])),
    ).toEqual(new Set(['string', 'number']));
    expect(ofUpdates.some(({ body }) => body.params['module'] === null)).toBe(true);
    expect(ofUpdates.some(({ body }) => !('module' in body.params))).toBe(true);
    expect(new Set(ofUpdates.map(({ qos }) => qos))).toEqual(new Set([0, 1]));
  });
});

describe('behaviours', () => {
  it('slow takes several times as long, and succeeds', async () => {
    const { platform, fleet } = await device('slow', { stepDelayMs: 20 });
    const startedAtMs = performance.now();
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
    expect(performance.now() - startedAtMs).toBeGreaterThan(4 * 20 * 4 * 0.9);
  });

  it.each([
    ['download-failed', -2, [0, 25, -2]],
    ['verification-failed', -3, [0, 25, 50, 75, -3]],
    ['extraction-failed', -4, [0, 25, 50, 75, -4]],
  ] as const)('%s reports step %i and keeps its version', async (behaviour, step, steps) => {
    const { platform, fleet } = await device(behaviour);
    platform.notify('sim-1');
    await happened(fleet, 'failed');
    expect(platform.steps('sim-1')).toEqual(steps);
    expect(fleet.version('sim-1')).toBe('1.0.0');
    expect(fleet.accounts('sim-1')).toMatchObject([{ version: '2.0.0', end: 'failed', step }]);
    expect(fleet.counts().updating).toBe(0);
  });

  it('silent leaves it at the notification, each time', async () => {
    const { platform, fleet } = await device('silent');
    platform.notify('sim-1');
    platform.notify('sim-1');
    await happened(fleet, 'silent', 2);
    expect(platform.steps('sim-1')).toEqual([]);
  });

  it('stalls stops half-way, and once repaired takes the next notification to its end', async () => {
    const { platform, fleet } = await device('stalls');
    platform.notify('sim-1');
    await happened(fleet, 'stalled');
    await platform.until(() => platform.steps('sim-1').length >= 2);
    expect(platform.steps('sim-1')).toEqual([0, 25]);
    await fleet.repair(['sim-1']);
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
    expect(fleet.accounts('sim-1').map(({ end }) => end)).toEqual(['stalled', 'succeeded']);
  });

  it('offline-then-online reports its version, leaves, and comes back when called', async () => {
    const { platform, fleet } = await device('offline-then-online');
    await happened(fleet, 'disconnected');
    expect(fleet.counts().online).toBe(0);
    expect(platform.versions('sim-1')).toEqual(['1.0.0']);
    await fleet.comeBack(['sim-1']);
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
  });

  it('offline-then-online comes back by itself when its time is over', async () => {
    const { fleet } = await device('offline-then-online', { offlineMs: 20 });
    await happened(fleet, 'connected', 2);
  });

  it('drops loses both connections in mid-download and goes on with a Range', async () => {
    const { platform, fleet } = await device('drops', {}, FLAVOURS[1]);
    platform.notify('sim-1');
    await happened(fleet, 'succeeded');
    expect(platform.steps('sim-1')).toEqual([0, 25, 50, 75, 100]);
    const [first, second] = platform.fileRequests;
    expect(platform.fileRequests).toHaveLength(2);
    expect(first?.range).toBeUndefined();
    expect(Number(/^bytes=(\d+)-$/.exec(second?.range ?? '')?.[1])).toBeGreaterThanOrEqual(150_000);
    expect(fleet.counts().events.connected).toBe(3);
  });

  it('stays-on-old-version reports step 100, and then the version it had', async () => {
    const { platform, fleet } = await device('stays-on-old-version');
    platform.notify('sim-1');
    await happened(fleet, 'kept-old-version');
    expect(platform.steps('sim-1').at(-1)).toBe(100);
    expect(platform.versions('sim-1')).toEqual(['1.0.0', '1.0.0']);
  });

  it('busy never finishes its first update, and takes up a second one', async () => {
    const { platform, fleet } = await device('busy');
    platform.notify('sim-1');
    await platform.until(() => platform.steps('sim-1').length > 5);
    platform.notify('sim-1');
    await happened(fleet, 'ignored');
    expect(fleet.counts().updating).toBe(1);
    platform.notify('sim-1', { version: '3.0.0' });
    await happened(fleet, 'succeeded');
    expect(fleet.accounts('sim-1')).toEqual([
      { version: '2.0.0', end: 'abandoned' },
      { version: '3.0.0', end: 'succeeded' },
    ]);
  });
});

describe('a simulated device', () => {
  it('finds a wrong digest by itself', async () => {
    const { platform, fleet } = await device('ok');
    platform.notify('sim-1', { sign: '0'.repeat(32) });
    await happened(fleet, 'failed');
    expect(fleet.accounts('sim-1')).toMatchObject([{ end: 'failed', step: -3 }]);
  });

  it('reports a failed download when the file is not to be had', async () => {
    const { platform, fleet } = await device('ok');
    platform.notify('sim-1', { size: 5 });
    await happened(fleet, 'failed');
    expect(fleet.accounts('sim-1')).toMatchObject([{ end: 'failed', step: -2 }]);
  });

  it('of the flavour link-c4 does not find a Content-Length in other letters', async () => {
    const { platform, fleet } = await device('ok');
    platform.lengthHeader = 'content-length';
    platform.notify('sim-1');
    await happened(fleet, 'failed');
    expect(fleet.accounts('sim-1')).toMatchObject([{ step: -2, reason: expect.stringContaining('letters') as string }]);
  });

  it.each(['{', 'null', '{"data":{}}', '{"data":{"version":"2.0.0","url":"http://127.0.0.1:1/","sign":"00"}}'])(
    'takes %s for no update',
    async (payload) => {
      const { platform, fleet } = await device('ok');
      platform.publish('/ota/device/upgrade/PK/sim-1', payload);
      platform.notify('sim-1');
      await happened(fleet, 'succeeded');
      expect(fleet.counts().events.notified).toBe(1);
    },
  );

  it('takes up an update that comes as the reply to its query', async () => {
    const { platform, fleet } = await device('ok');
    await platform.until(() => platform.reports.some(({ topic }) => topic.endsWith('/thing/ota/firmware/get')));
    platform.reply('sim-1', {});
    platform.reply('sim-1', platform.update());
    await happened(fleet, 'succeeded');
  });

  it('reports again what it runs when it is notified of that', async () => {
    const { platform, fleet } = await device('ok');
    platform.notify('sim-1', { version: '1.0.0' });
    await platform.until(() => platform.versions('sim-1').length === 2);
    expect(fleet.counts().events.ignored).toBe(1);
  });

  it('says that it has no such module', async () => {
    const { platform, fleet } = await device('ok');
    platform.notify('sim-1', { module: 'MCU' });
    await happened(fleet, 'failed');
    expect(fleet.accounts('sim-1')).toMatchObject([{ step: -1 }]);
  });

  it('comes back and goes on when it is cut off in mid-update', async () => {
    const { platform, fleet } = await device('ok', { stepDelayMs: 30 }, FLAVOURS[1]);
    platform.notify('sim-1');
    await platform.until(() => platform.steps('sim-1').length === 2);
    platform.cut('sim-1');
    await happened(fleet, 'succeeded');
    expect(platform.steps('sim-1')).toEqual([0, 25, 50, 75, 100]);
  });
});

describe('a report that is not acknowledged', () => {
  it('is sent again on the next connection', async () => {
    const { platform, fleet } = await device('ok', {}, FLAVOURS[1]);
    platform.unacknowledgedStep = 25;
    platform.notify('sim-1');
    await platform.until(() => platform.steps('sim-1').includes(25));
    expect(fleet.counts().events.progress).toBe(1);
    platform.unacknowledgedStep = undefined;
    platform.cut('sim-1');
    await happened(fleet, 'succeeded');
    expect(platform.steps('sim-1')).toEqual([0, 25, 25, 50, 75, 100]);
  });
});

describe('a fleet', () => {
  it('connects 200 devices at a pace and disconnects them all at the end', async () => {
    const platform = await VendorPlatform.start('PK', randomBytes(10));
    running.push(platform);
    const devices = Array.from({ length: 200 }, (_, i) => ({
      ...platform.register(`sim-${String(i).padStart(3, '0')}`),
      version: '1.0.0',
      behaviour: Behaviour.OK,
    }));
    const fleet = createFleet({ mqttUrl: platform.mqttUrl, productKey: 'PK', devices, connectsAtOnceMax: 10 });
    running.push(fleet);
    await fleet.start();
    expect(fleet.counts()).toMatchObject({ devices: 200, online: 200 });
    expect(fleet.counts().events.informed).toBe(200);
    await fleet.stop();
    await fleet.until(() => fleet.counts().online === 0);
  });

  it('keeps trying while the sign-in is refused, and says so', async () => {
    const platform = await VendorPlatform.start('PK', randomBytes(10));
    running.push(platform);
    const fleet = createFleet({
      mqttUrl: platform.mqttUrl,
      productKey: 'PK',
      devices: [{ deviceName: 'sim-1', deviceSecret: 'secret-of-sim-1', version: '1.0.0', behaviour: 'ok' }],
      timing: FAST,
    });
    running.push(fleet);
    const started = fleet.start();
    await happened(fleet, 'refused', 2);
    platform.register('sim-1');
    await started;
  });

  it('can be stopped while the broker is away', async () => {
    const platform = await VendorPlatform.start('PK', randomBytes(10));
    const { mqttUrl } = platform;
    await platform.stop();
    const fleet = createFleet({
      mqttUrl,
      productKey: 'PK',
      devices: [{ deviceName: 'sim-1', deviceSecret: 'secret', version: '1.0.0', behaviour: 'ok' }],
    });
    const started = expect(fleet.start()).rejects.toThrow();
    await happened(fleet, 'unreachable');
    await fleet.stop();
    await started;
  });
});
