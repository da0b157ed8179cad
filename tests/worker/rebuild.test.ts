import { readdirSync, readFileSync } from 'node:fs';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rebuildOffline } from '../../worker/rebuild/offline.js';
import type { Rebuilt } from '../../worker/rebuild/rebuild.js';
import { up } from '../../worker/up.js';
import { Device } from '../e2e/device.js';
import { Ferry } from '../e2e/ferry.js';
import { untilRun } from '../support/run-state.js';
import { serviceEnvironment } from '../support/service-environment.js';

/* A service's records are lost: they are written anew from the runs' histories, and the service goes on. */

const NAMES = ['good', 'failing', 'away', 'upgrading', 'cancelled', 'busy', 'stopped'];
const secrets = new Map<string, string>();
let ferry: Ferry;
let rebuilt: Rebuilt;
let before: Dump;
let after: Dump;
let brokenOff: BrokenOff;
const tasks = { verification: '', again: '', holding: '', batch: '', stopped: '' };

type Row = Readonly<Record<string, unknown>>;
interface Dump {
  readonly tasks: readonly Row[];
  readonly updates: readonly Row[];
  readonly claims: readonly Row[];
  readonly firmware: readonly Row[];
}

function dump(path: string): Dump {
  const db = new Database(path, { readonly: true });
  const all = (sql: string) => db.prepare<[], Row>(sql).all();
  const result = {
    tasks: all('SELECT * FROM tasks ORDER BY id'),
    updates: all('SELECT * FROM device_updates ORDER BY task_id, ordinal'),
    claims: all('SELECT * FROM claims ORDER BY task_id, source_version'),
    firmware: all('SELECT * FROM firmware WHERE id IN (SELECT firmware_id FROM tasks) ORDER BY id'),
  };
  db.close();
  return result;
}
interface BrokenOff {
  /** In the data folder at the moment of the kill. */
  readonly files: readonly string[];
  /** What a start says then. */
  readonly start: string;
  /** The data folder after that. */
  readonly filesAfterStart: readonly string[];
}

/** A rebuild that is killed after its first task: it leaves the files as they are at that moment. */
async function breakOffRebuild(): Promise<BrokenOff> {
  const env = serviceEnvironment(ferry.folder);
  const left = new Map<string, Buffer>();
  const rebuild = rebuildOffline(env, {
    onSlow: () => undefined,
    onTask: () => {
      for (const name of readdirSync(ferry.folder).filter((each) => /^ferry\.db(?!\.lost)/.test(each))) {
        left.set(name, readFileSync(join(ferry.folder, name)));
      }
      throw new Error('killed');
    },
  });
  await expect(rebuild).rejects.toThrow('killed');
  for (const [name, content] of left) await writeFile(join(ferry.folder, name), content);
  const start = await up({ ...env, FERRY_LOG_LEVEL: 'fatal' }).then(
    async (running) => {
      await running.stop();
      return 'It has started.';
    },
    (error: unknown) => String(error),
  );
  return { files: [...left.keys()], start, filesAfterStart: await readdir(ferry.folder) };
}

const without = (rows: readonly Row[], ...columns: string[]): Row[] =>
  rows.map((row) => Object.fromEntries(Object.entries(row).filter(([column]) => !columns.includes(column))));

const connect = (name: string) => Device.connect(ferry.mqttUrl, 'lamp', name, secrets.get(name) ?? '');
const ended = (id: string) =>
  ferry.until<{ status: string; counts: Record<string, number> }>(
    `/v1/tasks/${id}`,
    ({ status }) => status === 'completed',
  );
const untilUpdate = (task: string, name: string, wanted: (update: Record<string, unknown>) => boolean) =>
  ferry.until<{ items: Record<string, unknown>[] }>(`/v1/tasks/${task}/devices`, ({ items }) =>
    items.some((update) => update['deviceName'] === name && wanted(update)),
  );
const create = async (path: string, body: unknown): Promise<string> => {
  const answer = await ferry.post<{ id: string }>(path, body);
  expect(answer.status).toBe(202);
  return answer.body.id;
};
const register = (ofNames: readonly string[]) =>
  ferry.post('/v1/products/lamp/devices', {
    devices: ofNames.map((deviceName) => ({ deviceName, deviceSecret: secrets.get(deviceName) })),
  });

async function story(): Promise<void> {
  await ferry.post('/v1/products', { productKey: 'lamp', name: 'lamp' });
  for (const name of NAMES) secrets.set(name, `the-secret-of-${name}`);
  await register(NAMES);
  const devices = new Map<string, Device>();
  for (const name of NAMES) {
    const device = await connect(name);
    // A batch of that version is not for the one whose verification is to be stopped.
    if (name !== 'stopped') await device.runs('1.0');
    if (name === 'away' || name === 'stopped') await device.leave();
    else devices.set(name, device);
  }
  const device = (name: string) => devices.get(name) as Device;
  const first = (await ferry.addFirmware('lamp', 'main', '2.0')).body.id;
  const second = (await ferry.addFirmware('lamp', 'main', '3.0')).body.id;

  tasks.verification = await create(`/v1/firmware/${first}/verifications`, { deviceNames: ['good', 'failing'] });
  await device('good').update();
  await device('failing').notification();
  await device('failing').progress(-2, 'no route');
  await ended(tasks.verification);
  tasks.again = await create(`/v1/tasks/${tasks.verification}/reinitiate`, {});
  await device('failing').notification();
  await device('failing').progress(-4, 'full');
  await ended(tasks.again);

  tasks.stopped = await create(`/v1/firmware/${second}/verifications`, { deviceNames: ['stopped'] });
  await untilUpdate(tasks.stopped, 'stopped', ({ waitingFor }) => (waitingFor as { what?: string }).what === 'online');
  tasks.holding = await create(`/v1/firmware/${second}/verifications`, { deviceNames: ['busy'] });
  await device('busy').notification();
  tasks.batch = await create(`/v1/firmware/${first}/batch-updates`, { sourceVersions: ['1.0'] });
  for (const name of ['upgrading', 'cancelled', 'failing']) await device(name).notification();
  await device('upgrading').progress(10);
  await device('upgrading').progress(100);
  await device('failing').progress(-3, 'damaged');
  await ferry.post(`/v1/tasks/${tasks.batch}/devices/cancelled/cancel`);
  await untilUpdate(tasks.batch, 'cancelled', ({ status }) => status === 'cancelled');
  await untilUpdate(tasks.batch, 'failing', ({ outcome }) => outcome === 'failed');
  await untilUpdate(tasks.batch, 'busy', ({ cause }) => cause === 'device-busy');
  await untilUpdate(tasks.batch, 'away', ({ waitingFor }) => (waitingFor as { what?: string }).what === 'online');
  // A history holds what its run has been told: of step 100 that is a little later.
  await untilRun(ferry.temporalAddress, 'device-update/lamp/upgrading', ({ step }) => step === 100);
  for (const each of devices.values()) await each.leave();
}

beforeAll(async () => {
  ferry = await Ferry.start();
  await story();
  await ferry.pause();
  const lost = join(ferry.folder, 'ferry.db');
  before = dump(lost);
  for (const end of ['', '-wal', '-shm']) await rename(`${lost}${end}`, `${lost}.lost${end}`).catch(() => undefined);
  brokenOff = await breakOffRebuild();
  const options = { onSlow: () => undefined, onTask: () => undefined };
  rebuilt = await rebuildOffline(serviceEnvironment(ferry.folder), options);
  after = dump(lost);
});
afterAll(() => ferry.stop());

describe('a rebuild that is killed in the middle', () => {
  it('has written nothing into the database that a service would start on', () => {
    expect(brokenOff.files).toContain('ferry.db.rebuilding');
    expect(brokenOff.files.filter((name) => /^ferry\.db(-|$)/.test(name))).toEqual([]);
  });

  it('keeps the service from starting, which says to repeat it, until it is repeated', () => {
    expect(brokenOff.start).toMatch(/A rebuild of the records .* was not finished\. Repeat it: ferry records rebuild/);
    expect(brokenOff.filesAfterStart).not.toContain('ferry.db');
  });

  it('leaves nothing of its own behind when it was repeated', async () => {
    const ours = (await readdir(ferry.folder)).filter((name) => name.startsWith('ferry.db.rebuilding'));
    expect(ours).toEqual([]);
  });
});

describe('records that are rebuilt from histories', () => {
  it('hold every task and every device update again', () => {
    expect(rebuilt).toEqual({ tasks: 5, deviceUpdates: 10, missingDevices: 0, tasksWithoutOrigin: 0, mismatches: [] });
  });

  it('have the same tasks, counts included', () => {
    // Change numbers begin anew, and what operators asked for is timed by the run that was told.
    const limits = ['change', 'cancel_requested_at_ms'];
    expect(without(after.tasks, ...limits)).toEqual(without(before.tasks, ...limits));
  });

  it('have the same device updates, states, outcomes, causes, attempts and runs', () => {
    const limits = [
      // New numbers, so that download URLs of before are dead.
      ...['id', 'change'],
      // What gateway and operators noted for the run to hear; it is told again.
      ...['cancel_requested_at_ms', 'cancel_delivered', 'progress_signalled', 'hundred_signalled'],
      ...['failure_signalled', 'reported_failure', 'online_signals', 'online_signalled_at_ms', 'target_signalled'],
      ...['target_heard_at_ms', 'news_at_ms', 'late_report_at_ms', 'last_download_at_ms'],
    ];
    const rows = (of: Dump) => without(of.updates, ...limits);
    // Activities and gateway timed these a moment before or after the run did; the record of a busy device named the other task.
    const times = ['notified_at_ms', 'started_at_ms', 'last_progress_at_ms', 'hundred_at_ms', 'ended_at_ms'];
    expect(without(rows(after), ...times, 'detail')).toEqual(without(rows(before), ...times, 'detail'));
    rows(after).forEach((row, i) => {
      for (const time of times) {
        const other = rows(before)[i]?.[time] as number | null;
        if (other === null) expect(row[time]).toBeNull();
        else expect(Math.abs(Number(row[time]) - other)).toBeLessThan(1_000);
      }
      if (row['cause'] !== 'device-busy') expect(row['detail']).toBe(rows(before)[i]?.['detail']);
    });
  });

  it('have the same claims, and firmware with digests and verification', () => {
    expect(without(after.claims, 'released_at_ms')).toEqual(without(before.claims, 'released_at_ms'));
    expect(after.claims.map((row) => row['released_at_ms'] === null)).toEqual(
      before.claims.map((row) => row['released_at_ms'] === null),
    );
    expect(after.firmware).toEqual(before.firmware);
  });

  it('have numbers of their own: events and download URLs of the lost ones are good for nothing else', () => {
    const numbers = (of: Dump) => [
      ...of.updates.map(({ id }) => Number(id)),
      ...of.tasks.map((row) => Number(row['change'])),
    ];
    expect(Math.min(...numbers(after))).toBeGreaterThan(Math.max(...numbers(before)) + 1_000_000);
  });

  it('refuse to be rebuilt over', async () => {
    const again = rebuildOffline(serviceEnvironment(ferry.folder), {
      onSlow: () => undefined,
      onTask: () => undefined,
    });
    await expect(again).rejects.toThrow(/is not empty. Move it aside/);
  });

  it('let the service go on: devices that are registered again end their updates', async () => {
    await ferry.resume();
    await register(NAMES);
    expect(await ferry.addFirmware('lamp', 'main', '4.0')).toMatchObject({
      status: 409,
      body: { code: 'trust-undecided' },
    });
    const trust = await ferry.call('PUT', '/v1/products/lamp/trusted-keys', { publicKeys: [] });
    expect(trust).toMatchObject({ status: 200, body: { trustUndecided: false } });
    expect((await ferry.addFirmware('lamp', 'main', '4.0')).status).toBe(201);
    const upgrading = await connect('upgrading');
    await upgrading.runs('2.0');
    const away = await connect('away');
    await away.runs('1.0');
    await away.update();
    const busy = await connect('busy');
    await busy.runs('3.0');
    expect((await ended(tasks.batch)).counts).toMatchObject({ succeeded: 2, failed: 2, cancelled: 1, total: 5 });
    expect((await ended(tasks.holding)).counts).toMatchObject({ succeeded: 1 });
    for (const device of [upgrading, away, busy]) await device.leave();
  });

  it('let open tasks be cancelled: their runs hear of it', async () => {
    expect((await ferry.post(`/v1/tasks/${tasks.stopped}/cancel`)).status).toBe(202);
    await ferry.until<{ status: string }>(`/v1/tasks/${tasks.stopped}`, ({ status }) => status === 'cancelled');
    expect((await ferry.post<{ differences: unknown[] }>('/v1/doctor', {})).body.differences).toEqual([]);
  });
});
