import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isTaskOpen } from '../../domain/update-task.js';
import type { Device } from '../e2e/device.js';
import { Ground } from './ground.js';

/*
 * What holds for one device holds for all of a fleet at the same moment. `FERRY_FLEET_SCALE=1` is the full size, of a
 * thousand devices and a minute without Temporal; `npm test` runs a part of it.
 */

const SCALE = Number(process.env.FERRY_FLEET_SCALE ?? 0.15);
const sized = (full: number): number => Math.ceil(SCALE * full);
const AT_ONCE = 50;
const PAGE = 500;

let ground: Ground;
let connected: Device[] = [];
beforeAll(async () => {
  ground = await Ground.open({ FERRY_MQTT_CONNECTIONS_PER_ADDRESS_MAX: '5000' });
});
afterEach(async () => {
  await Promise.all(connected.map((device) => device.leave()));
  connected = [];
});
afterAll(() => ground.close());

const api = () => ground.service.api;

/** @returns what the work answers, in the order of the names; a bounded number at once */
async function each<T>(names: readonly string[], work: (name: string) => Promise<T>, atOnce = AT_ONCE): Promise<T[]> {
  const results: T[] = [];
  const left = names.entries();
  const worker = async () => {
    for (const [i, name] of left) results[i] = await work(name);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

async function fleetOf(prefix: string, size: number, version: string): Promise<string[]> {
  const names = Array.from({ length: size }, (_, i) => `${prefix}-${i}`);
  await each(names, (name) => ground.register(name, version));
  return names;
}

const comeOnline = async (names: readonly string[], atOnce = names.length): Promise<Device[]> =>
  (connected = await each(names, (name) => ground.connect(name), atOnce));

/** A batch of devices that are away, each with its run. */
async function begunBatch(firmwareId: string, version: string): Promise<string> {
  const { id } = await api().createBatchUpdate(firmwareId, { sourceVersions: [version] });
  await ground.until(
    () => updatesOf(id),
    (updates) => updates.every(({ waitingFor }) => waitingFor?.what === 'online'),
  );
  return id;
}

async function updatesOf(taskId: string) {
  const updates = [];
  for (let cursor: string | undefined, more = true; more;) {
    const page = await api().listDeviceUpdates(taskId, { limit: PAGE, ...(cursor !== undefined && { cursor }) });
    updates.push(...page.items);
    cursor = page.nextCursor ?? undefined;
    more = cursor !== undefined;
  }
  return updates;
}

const heard = (devices: readonly Device[]): number => devices.reduce((sum, { waiting }) => sum + waiting, 0);

describe('a whole fleet', () => {
  it('that comes online after the accepted cancellation hears nothing of it, and its versions are free at once', async () => {
    const { id } = await ground.verifiedFirmware();
    const names = await fleetOf('stopped', sized(1_000), '1.1');
    const taskId = await begunBatch(id, '1.1');
    await api().cancelTask(taskId);
    const [next, devices] = await Promise.all([
      api().createBatchUpdate(id, { sourceVersions: ['1.1'], deviceNames: [names[0] ?? ''] }),
      comeOnline(names.slice(1)),
    ]);
    await ground.untilTask(taskId, ({ status }) => !isTaskOpen(status));
    expect(heard(devices)).toBe(0);
    const updates = await updatesOf(taskId);
    expect(new Set(updates.map(({ status, notifications }) => `${status} ${notifications}`))).toEqual(
      new Set(['cancelled 0']),
    );
    await api().cancelTask(next.id);
    await ground.untilTask(next.id, ({ status }) => !isTaskOpen(status));
  });

  it('that is back at once gets one notification a device', async () => {
    const { id } = await ground.verifiedFirmware();
    const names = await fleetOf('back', sized(600), '1.2');
    const taskId = await begunBatch(id, '1.2');
    const devices = await comeOnline(names);
    const updates = await ground.until(
      () => updatesOf(taskId),
      (all) => all.every(({ status }) => status === 'notified'),
    );
    expect(updates.filter(({ notifications }) => notifications !== 1)).toEqual([]);
    expect(heard(devices)).toBe(names.length);
    await api().cancelTask(taskId);
    await ground.untilTask(taskId, ({ status }) => !isTaskOpen(status));
  });

  it('that finishes while Temporal answers nothing is acknowledged, stays connected, and has succeeded afterwards', async () => {
    const { id, version } = await ground.verifiedFirmware();
    const names = await fleetOf('finishing', sized(150), '1.3');
    const devices = await comeOnline(names);
    const task = await api().createBatchUpdate(id, { sourceVersions: ['1.3'] });
    await Promise.all(devices.map((device) => device.notification()));
    await ground.service.signalTemporal('SIGSTOP');
    const closed: string[] = [];
    devices.forEach((device) => void device.cut().then(() => closed.push(device.deviceName)));
    try {
      const ends = devices.map(async (device, i) => {
        await device.tryProgress(100);
        return i % 2 === 0 ? device.tryRuns(version) : device.tell(version);
      });
      expect(new Set(await Promise.all(ends))).toEqual(new Set(['acknowledged', 'sent']));
      // Temporal stays away for this long: connections that wait for an answer of Temporal would be closed meanwhile.
      await sleep(sized(60_000));
      expect(closed).toEqual([]);
    } finally {
      await ground.service.signalTemporal('SIGCONT');
    }
    const { counts } = await ground.untilTask(task.id, ({ status }) => !isTaskOpen(status));
    expect(counts).toMatchObject({ succeeded: names.length, failed: 0, total: names.length });
    expect(closed).toEqual([]);
  });
});
