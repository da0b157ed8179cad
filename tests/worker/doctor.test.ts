import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiClient, type ApiClient } from '../../api/client.js';
import { resolvePolicy, shardDevices } from '../../domain/policy.js';
import { taskRunOptions, type TaskInput } from '../../workflows/task-input.js';
import { Terminal } from '../cli/terminal.js';
import { Device } from '../e2e/device.js';
import { Ferry } from '../e2e/ferry.js';

/* Things are broken behind the service's back: the doctor names each and repairs it. */

let ferry: Ferry;
let api: ApiClient;
let token: string;
let client: Client;
let connection: Connection;
let db: Database.Database;
let n = 0;
let secrets: ReadonlyMap<string, string>;

beforeAll(async () => {
  ferry = await Ferry.start({ FERRY_WATCH_SECONDS: '0' });
  token = (await readFile(join(ferry.folder, 'admin-token'), 'utf8')).trim();
  api = createApiClient({ url: ferry.url, token });
  connection = await Connection.connect({ address: ferry.temporalAddress });
  client = new Client({ connection });
  db = new Database(join(ferry.folder, 'ferry.db'));
});
afterAll(async () => {
  db.close();
  await connection.close();
  await ferry.stop();
});

let productKey: string;
let firmwareId: string;
let sha256: string;
let taskId: string;
const devices: Device[] = [];

/** A batch over an online device and one that is away, both in mid-update. */
beforeEach(async () => {
  productKey = `lamp-${++n}`;
  await api.createProduct({ productKey, name: 'Lamp' });
  const registered = await api.registerDevices(productKey, [{ deviceName: 'here' }, { deviceName: 'away' }]);
  secrets = new Map(registered.devices.map(({ deviceName, deviceSecret }) => [deviceName, deviceSecret]));
  for (const name of ['away', 'here']) {
    const device = await connect(name);
    await device.runs('1.0');
    if (name === 'away') await device.leave();
  }
  const added = await ferry.addFirmware(productKey, 'main', '2.0', Buffer.from(`firmware of ${productKey}`));
  firmwareId = added.body.id;
  sha256 = (await api.getFirmware(firmwareId)).sha256;
  db.prepare('UPDATE firmware SET verified_at_ms = 1 WHERE id = ?').run(firmwareId);
  taskId = (await api.createBatchUpdate(firmwareId, { sourceVersions: ['1.0'] })).id;
  await devices.at(-1)?.notification();
  await devices.at(-1)?.progress(10);
  await ferry.until<{ items: { waitingFor: { what: string } }[] }>(`/v1/tasks/${taskId}/devices`, ({ items }) =>
    items.some(({ waitingFor }) => waitingFor.what === 'online'),
  );
});
afterEach(async () => {
  for (const device of devices.splice(0)) await device.leave();
  await api.cancelTask(taskId).catch(() => undefined);
  await ferry.until<{ status: string }>(`/v1/tasks/${taskId}`, ({ status }) => status !== 'running');
});

async function connect(name: string): Promise<Device> {
  const device = await Device.connect(ferry.mqttUrl, productKey, name, secrets.get(name) ?? '');
  devices.push(device);
  return device;
}
const ended = (id = taskId) =>
  ferry.until<{ status: string; counts: Record<string, number> }>(
    `/v1/tasks/${id}`,
    ({ status }) => status === 'completed' || status === 'cancelled',
  );
const kinds = async (fix: boolean) => (await api.examine(fix)).differences.map(({ kind }) => kind).sort();
/** Names exactly these, repairs them, and finds nothing afterwards. */
async function repairs(...expected: string[]): Promise<void> {
  expect(await kinds(false)).toEqual(expected.sort());
  const { differences } = await api.examine(true);
  expect(differences.filter(({ fixed }) => !fixed)).toEqual([]);
}
/** A row like another, but for these columns. */
function copyRow(table: string, where: string, changes: Readonly<Record<string, unknown>>): void {
  const row = db.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table} WHERE ${where}`).get();
  const changed = { ...row, ...changes };
  const columns = Object.keys(changed);
  db.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`).run(
    ...Object.values(changed),
  );
}
/** Of a run that Ferry has not started. */
const runInput = (id: string): TaskInput => ({
  ...{ taskId: id, kind: 'verification', productKey, devicesTotal: 1, shardDevices: 1, unconfirmedStartsMax: 1 },
  firmware: { id: 'none', name: 'none', module: 'default', version: '9' },
  policy: resolvePolicy('verification'),
});
const storedFile = () => join(ferry.folder, 'files', sha256.slice(0, 2), sha256.slice(2, 4), sha256);

describe('the doctor', () => {
  it('finds nothing to say of a service at work', async () => {
    const { examined, differences } = await api.examine(false);
    expect(differences).toEqual([]);
    expect(examined).toMatchObject({ openTasks: 1, openDeviceUpdates: 2, openRuns: 4 });
    const { exitCode, out } = await new Terminal({ FERRY_URL: ferry.url, FERRY_TOKEN: token }).run(['doctor']);
    expect({ exitCode, out }).toEqual({
      exitCode: 0,
      out: expect.stringContaining('All is as it should be.') as string,
    });
  });

  it('counts wrong counts anew', async () => {
    db.prepare('UPDATE tasks SET pending = 7, failed = 2 WHERE id = ?').run(taskId);
    await repairs('counts-wrong');
    expect((await api.getTask(taskId)).counts).toMatchObject({ pending: 1, upgrading: 1, failed: 0 });
    expect(await kinds(false)).toEqual([]);
  });

  it('takes a lost claim again, and leaves it to a person when another task holds it', async () => {
    db.prepare('UPDATE claims SET released_at_ms = 1 WHERE task_id = ?').run(taskId);
    await repairs('claim-missing');
    const other = await ferry.addFirmware(productKey, 'main', '3.0');
    db.prepare('UPDATE firmware SET verified_at_ms = 1 WHERE id = ?').run(other.body.id);
    const conflict = await ferry.post(`/v1/firmware/${other.body.id}/batch-updates`, { sourceVersions: ['1.0'] });
    expect(conflict.status).toBe(409);

    db.prepare('UPDATE claims SET released_at_ms = 1 WHERE task_id = ?').run(taskId);
    const second = await api.createBatchUpdate(other.body.id, { sourceVersions: ['1.0'] });
    await ended(second.id);
    db.prepare('UPDATE claims SET released_at_ms = NULL WHERE task_id = ?').run(second.id);
    expect((await api.examine(true)).differences).toMatchObject([
      { kind: 'claim-leaked', fixed: true },
      { kind: 'claim-missing', fixed: false, remedy: `Task ${second.id} holds it: cancel one of the two.` },
    ]);
    await repairs('claim-missing');
    expect(await kinds(false)).toEqual([]);
  });

  it('ends device update and task whose runs were terminated, claims released', async () => {
    // Terminated with nobody to tell: the parent first, so that it can't record its children's ends.
    await client.workflow.getHandle(`batch/${taskId}`).terminate('a test');
    await ferry.until<{ counts: Record<string, number> }>(
      `/v1/tasks/${taskId}`,
      ({ counts }) => counts['cancelled'] === 2,
    );
    await repairs('task-run-closed');
    expect(await ended()).toMatchObject({ status: 'cancelled', counts: { cancelled: 2 } });
    expect(await kinds(false)).toEqual([]);
    const { count } = db
      .prepare<[string], { count: number }>(
        'SELECT count(*) count FROM claims WHERE task_id = ? AND released_at_ms IS NULL',
      )
      .get(taskId) ?? { count: -1 };
    expect(count).toBe(0);
  });

  it('ends what an ended task has left open, as its run did: it would take the reports of the device’s next update', async () => {
    await api.cancelTask(taskId);
    expect(await ended()).toMatchObject({ status: 'cancelled', counts: { cancelled: 2 } });
    db.prepare(
      "UPDATE device_updates SET status = 'pending', ended_at_ms = NULL WHERE task_id = ? AND device_name = 'away'",
    ).run(taskId);
    db.prepare('UPDATE tasks SET pending = 1, cancelled = 1 WHERE id = ?').run(taskId);
    await repairs('device-update-run-closed');
    expect(await ended()).toMatchObject({ counts: { pending: 0, cancelled: 2 } });
  });

  it('starts a task again of which the engine knows nothing', async () => {
    copyRow('tasks', `id = '${taskId}'`, {
      ...{ id: 'vanished', kind: 'verification', status: 'running', source_versions: '[]', start_delivered: 1 },
      ...{ pending: 1, upgrading: 0, total: 1 },
    });
    const unbegun = { id: null, task_id: 'vanished', begun_at_ms: null, run_id: null, status: 'pending' };
    copyRow('device_updates', `task_id = '${taskId}' AND device_name = 'away'`, unbegun);
    await repairs('task-without-run');
    // The device is in the other task's update: that the new run finds it busy shows that it ran.
    expect(await ended('vanished')).toMatchObject({ status: 'completed', counts: { failed: 1 } });
    expect(await kinds(false)).toEqual([]);
  });

  it('fails a device that a batch which goes on has forgotten: its shard has closed, and it has no run', async () => {
    await api.registerDevices(productKey, [{ deviceName: 'forgotten' }, { deviceName: 'next' }]);
    const { total } = (await api.getTask(taskId)).counts;
    // Of the second shard, which has closed, and of the third one, whose turn has not come.
    for (const [shard, deviceName] of ['forgotten', 'next'].entries()) {
      copyRow('device_updates', `task_id = '${taskId}' AND device_name = 'away'`, {
        ...{ id: null, device_name: deviceName, ordinal: (shard + 1) * shardDevices(total) },
        ...{ begun_at_ms: null, run_id: null, status: 'pending' },
      });
    }
    db.prepare('UPDATE tasks SET pending = pending + 2, total = total + 2 WHERE id = ?').run(taskId);
    const { typedSearchAttributes, args } = taskRunOptions(runInput(taskId));
    await client.workflow.execute('shard', {
      ...{ taskQueue: 'ferry', workflowId: `batch/${taskId}/shard-1`, typedSearchAttributes },
      args: [{ ...args[0], taskId: 'of-nobody', shard: 1 }],
    });
    await repairs('device-update-forgotten');
    const { items } = await api.listDeviceUpdates(taskId);
    expect(items.find(({ deviceName }) => deviceName === 'forgotten')).toMatchObject({
      ...{ outcome: 'failed', cause: 'update-failed' },
      detail: expect.stringContaining('The run of its shard closed before it had begun.') as string,
    });
    expect((await api.getTask(taskId)).counts).toMatchObject({ pending: 2, upgrading: 1, failed: 1 });
    expect(await kinds(false)).toEqual([]);
  });

  it('cancels a run whose record has ended, and terminates one that has none', async () => {
    db.prepare(
      "UPDATE device_updates SET status = 'cancelled', ended_at_ms = 1 WHERE task_id = ? AND device_name = 'away'",
    ).run(taskId);
    const stray = taskRunOptions(runInput('of-nobody'));
    await client.workflow.start('verification', stray);
    await repairs('counts-wrong', 'run-of-ended-record', 'run-without-record');
    await client.workflow
      .getHandle(`device-update/${productKey}/away`)
      .result()
      .catch(() => undefined);
    expect((await client.workflow.getHandle(stray.workflowId).describe()).status.name).toBe('TERMINATED');
    expect(await kinds(false)).toEqual([]);
  });

  it('names damaged files and what to do, removes orphaned ones, and is content when they are added again', async () => {
    const bytes = await readFile(storedFile());
    await writeFile(storedFile(), 'rubbish');
    const orphan = join(ferry.folder, 'files', '00'.repeat(32));
    await writeFile(orphan, 'nobody’s');
    await utimes(orphan, 1, 1);
    const { differences } = await api.examine(true);
    expect(differences).toMatchObject([
      { kind: 'file-corrupt', fixable: false, subject: `firmware ${productKey} main 2.0` },
      { kind: 'file-orphaned' },
    ]);
    const terminal = await new Terminal({ FERRY_URL: ferry.url, FERRY_TOKEN: token }).run(['doctor']);
    expect(terminal.exitCode).toBe(1);
    expect(terminal.out).toContain('Add the same file again');
    await rm(storedFile());
    expect(await kinds(false)).toContain('file-missing');
    expect((await ferry.addFirmware(productKey, 'main', '2.0', bytes)).status).toBe(422);
    expect((await kinds(false)).filter((kind) => kind !== 'file-orphaned')).toEqual([]);
    await rm(orphan, { force: true });
  });
});

describe('a service that watches over its open records', () => {
  it('ends by itself a task whose run was terminated', async () => {
    const watchful = await Ferry.start({ FERRY_WATCH_SECONDS: '1' });
    try {
      await watchful.post('/v1/products', { productKey: 'lamp', name: 'Lamp' });
      await watchful.post('/v1/products/lamp/devices', { deviceName: 'away' });
      const { body } = await watchful.addFirmware('lamp', 'main', '2.0');
      const task = await watchful.post<{ id: string }>(`/v1/firmware/${body.id}/verifications`, {
        deviceNames: ['away'],
      });
      const path = `/v1/tasks/${task.body.id}`;
      await watchful.until<{ status: string }>(path, ({ status }) => status === 'running');
      const other = await Connection.connect({ address: watchful.temporalAddress });
      await new Client({ connection: other }).workflow.getHandle(`verification/${task.body.id}`).terminate('a test');
      await other.close();
      await watchful.until<{ status: string }>(path, ({ status }) => status === 'cancelled');
    } finally {
      await watchful.stop();
    }
  });
});
