import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceUpdateWorkflowId, SEARCH_ATTRIBUTES } from '../../domain/ids.js';
import { backUp } from '../../worker/backup/back-up.js';
import type { Manifest } from '../../worker/backup/manifest.js';
import { restore } from '../../worker/backup/restore.js';
import { serviceEnvironment } from '../support/service-environment.js';
import { Device } from './device.js';
import { Ferry, type Json } from './ferry.js';

interface TaskBody extends Json {
  readonly id: string;
  readonly status: string;
  readonly counts: Record<string, number>;
}
interface UpdateBody {
  readonly deviceName: string;
  readonly status: string;
  readonly outcome: string | null;
  readonly step: number | null;
  readonly cause: string | null;
  readonly startedAt: string | null;
  readonly waitingFor: { readonly what: string } | null;
}

const PRODUCT = 'lamp';
let folder: string;
let ferry: Ferry;
let secrets: Map<string, string>;
const devices = new Set<Device>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-backup-'));
  ferry = await Ferry.start();
  secrets = new Map();
  await ferry.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
});
afterEach(async () => {
  await leaveAll();
  await ferry.stop();
  await rm(folder, { recursive: true, force: true });
});

async function leaveAll(): Promise<void> {
  await Promise.all([...devices].map((device) => device.leave()));
  devices.clear();
}

async function register(names: readonly string[]): Promise<void> {
  const { body } = await ferry.post<{ devices: { deviceName: string; deviceSecret: string }[] }>(
    `/v1/products/${PRODUCT}/devices`,
    { devices: names.map((deviceName) => ({ deviceName, protocol: 'mqtt' })) },
  );
  for (const { deviceName, deviceSecret } of body.devices) secrets.set(deviceName, deviceSecret);
}

async function connect(name: string, version = '1.0.0'): Promise<Device> {
  const device = await Device.connect(ferry.mqttUrl, PRODUCT, name, secrets.get(name) ?? '');
  devices.add(device);
  await device.runs(version);
  return device;
}

async function leave(device: Device): Promise<void> {
  devices.delete(device);
  await device.leave();
}

/** A device that reported what it runs, and is away again. */
async function reported(names: readonly string[]): Promise<void> {
  for (const name of names) await leave(await connect(name));
}

/** A firmware that one device has tried. */
async function verified(version: string): Promise<string> {
  const { body } = await ferry.addFirmware(PRODUCT, 'main', version);
  const probe = `probe-${version}`;
  await register([probe]);
  const device = await connect(probe);
  const task = await ferry.post<TaskBody>(`/v1/firmware/${body.id}/verifications`, { deviceNames: [probe] });
  await device.update();
  await ended(task.body.id);
  await leave(device);
  return body.id;
}

async function batch(firmwareId: string, body: Json = {}): Promise<string> {
  const { body: task, status } = await ferry.post<TaskBody>(`/v1/firmware/${firmwareId}/batch-updates`, {
    sourceVersions: ['1.0.0'],
    ...body,
  });
  expect(status).toBe(202);
  return task.id;
}

const ended = (taskId: string): Promise<TaskBody> =>
  ferry.until<TaskBody>(`/v1/tasks/${taskId}`, ({ status }) => status === 'completed' || status === 'cancelled');
const updateOf = async (taskId: string, name: string): Promise<UpdateBody> => untilUpdate(taskId, name, () => true);
const untilUpdate = async (taskId: string, name: string, wanted: (update: UpdateBody) => boolean) => {
  const { items } = await ferry.until<{ items: UpdateBody[] }>(`/v1/tasks/${taskId}/devices`, ({ items: all }) =>
    all.some((update) => update.deviceName === name && wanted(update)),
  );
  return items.find(({ deviceName }) => deviceName === name) as UpdateBody;
};
const status =
  (...wanted: string[]) =>
  (update: UpdateBody) =>
    wanted.includes(update.status);

const backedUp = (name: string): Promise<Manifest> =>
  backUp(serviceEnvironment(ferry.folder), { to: join(folder, name) });

/** The service is lost; another one starts on what was backed up. */
async function restoredFrom(name: string): Promise<void> {
  await leaveAll();
  await ferry.stop();
  const dataDir = join(folder, 'restored');
  await restore(serviceEnvironment(dataDir), { from: join(folder, name) });
  ferry = await Ferry.startOn(dataDir);
}

/** Workflow ids of the open runs of a type, as Temporal has them. */
async function openRuns(type: string): Promise<string[]> {
  const connection = await Connection.connect({ address: ferry.temporalAddress });
  try {
    const { workflow } = new Client({ connection });
    const ids: string[] = [];
    const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running' AND ${SEARCH_ATTRIBUTES.productKey} = '${PRODUCT}'`;
    for await (const run of workflow.list({ query })) {
      // The list may be behind; the run itself is not.
      const { status: now } = await workflow.getHandle(run.workflowId, run.runId).describe();
      if (now.name === 'RUNNING') ids.push(run.workflowId);
    }
    return ids;
  } finally {
    await connection.close();
  }
}

describe('a backup of a running service', () => {
  it('is restored elsewhere, and its open updates go on to their proven ends', async () => {
    await register(['done', 'offline', 'notified', 'upgrading']);
    const firmwareId = await verified('2.0.0');
    await reported(['offline']);
    const [done, notified, upgrading] = [
      await connect('done'),
      await connect('notified'),
      await connect('upgrading'),
    ] as const;
    const taskId = await batch(firmwareId);
    await done.update();
    await untilUpdate(taskId, 'done', status('completed'));
    const { data } = await upgrading.notification();
    await upgrading.progress(40);
    await untilUpdate(taskId, 'upgrading', ({ step }) => step === 40);
    await untilUpdate(taskId, 'notified', status('notified'));

    const { counts, temporal, damaged } = await backedUp('one');
    expect({ temporal, damaged, ...counts }).toMatchObject({ temporal: 'embedded', damaged: [], openTasks: 1 });
    expect(counts.openDeviceUpdates).toBe(3);

    // The service goes on; what happens now is not in the backup, only the devices have it in them.
    await upgrading.progress(100);
    await upgrading.runs('2.0.0');
    await untilUpdate(taskId, 'upgrading', status('completed'));
    await leave(notified);
    const token = ferry.adminToken;
    await restoredFrom('one');

    expect(ferry.adminToken).toBe(token);
    expect(await updateOf(taskId, 'done')).toMatchObject({ status: 'completed', outcome: 'succeeded' });
    expect(await updateOf(taskId, 'upgrading')).toMatchObject({ status: 'upgrading', step: 40 });
    const claimed = await ferry.post(`/v1/firmware/${firmwareId}/batch-updates`, { sourceVersions: ['1.0.0'] });
    expect(claimed).toMatchObject({ status: 409, body: { code: 'update-task-conflict' } });
    // A URL that was given out before the restore could mean another update by now: it is good for nothing.
    expect((await fetch(new URL(new URL(data.url).pathname, ferry.url))).status).toBe(404);

    await connect('upgrading', '2.0.0');
    await untilUpdate(taskId, 'upgrading', status('completed'));
    await (await connect('notified')).update();
    await (await connect('offline')).update();
    expect(await ended(taskId)).toMatchObject({ status: 'completed', counts: { succeeded: 4, failed: 0 } });
  });

  it('is sound while a batch writes as fast as it can, and every one of its runs goes on', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `lamp-${i}`);
    await register(names);
    await reported(names);
    const taskId = await batch(await verified('2.0.0'));
    // The first runs are there, most are still to be started.
    await ferry.until<TaskBody>(`/v1/tasks/${taskId}`, ({ status: now }) => now === 'running');
    await backedUp('busy');
    await restoredFrom('busy');
    const waits = (update: UpdateBody) => update.waitingFor?.what === 'online';
    await ferry.until<{ items: UpdateBody[] }>(
      `/v1/tasks/${taskId}/devices?limit=500`,
      ({ items }) =>
        items.length === names.length && items.every((update) => waits(update) || update.status === 'completed'),
    );
    await ferry.post(`/v1/tasks/${taskId}/cancel`);
    const { counts } = await ended(taskId);
    expect(counts).toMatchObject({ cancelled: names.length, failed: 0 });
    expect(await openRuns('deviceUpdate')).toEqual([]);
  });
});

describe('records that are newer than the restored runs', () => {
  /** A backup whose runs are of an earlier moment than its records: what a large database makes of every backup. */
  async function combined(runsOf: Manifest, records: Manifest): Promise<void> {
    await copyFile(join(folder, 'earlier', 'temporal.db'), join(folder, 'later', 'temporal.db'));
    const isRuns = ({ path }: { path: string }) => path === 'temporal.db';
    const files = [...records.files.filter((file) => !isRuns(file)), ...runsOf.files.filter(isRuns)];
    const manifest = { ...records, changeBeforeRuns: runsOf.changeBeforeRuns, files };
    await writeFile(join(folder, 'later', 'manifest.json'), JSON.stringify(manifest));
  }

  it('tell the runs what these missed: ended updates free their devices, others go on where their devices are', async () => {
    const names = ['good', 'bad', 'unwanted', 'slow', 'away'];
    await register(names);
    const firmwareId = await verified('2.0.0');
    const nextId = await verified('3.0.0');
    await reported(['away', 'unwanted']);
    const [good, bad, slow] = [await connect('good'), await connect('bad'), await connect('slow')] as const;
    const taskId = await batch(firmwareId);
    for (const device of [good, bad, slow]) await untilUpdate(taskId, device.deviceName, status('notified'));
    for (const name of ['away', 'unwanted']) {
      await untilUpdate(taskId, name, ({ waitingFor }) => waitingFor?.what === 'online');
    }
    const earlier = await backedUp('earlier');

    await good.update();
    await untilUpdate(taskId, 'good', status('completed'));
    await bad.notification();
    await bad.progress(-2, 'no route');
    await untilUpdate(taskId, 'bad', status('completed'));
    await ferry.post(`/v1/tasks/${taskId}/devices/unwanted/cancel`);
    await untilUpdate(taskId, 'unwanted', status('cancelled'));
    await slow.notification();
    await slow.progress(60);
    await untilUpdate(taskId, 'slow', ({ step }) => step === 60);
    const nextTask = await batch(nextId, { sourceVersions: ['2.0.0'] });
    await good.notification();
    await untilUpdate(nextTask, 'good', status('notified'));
    const later = await backedUp('later');
    await combined(earlier, later);
    await restoredFrom('later');

    // Nothing is to be done by hand, and no device has come back yet.
    const open = ['away', 'slow'].map((deviceName) => deviceUpdateWorkflowId({ productKey: PRODUCT, deviceName }));
    const held = await openRuns('deviceUpdate');
    for (const name of ['bad', 'unwanted']) {
      expect(held).not.toContain(deviceUpdateWorkflowId({ productKey: PRODUCT, deviceName: name }));
    }
    expect(held).toEqual(expect.arrayContaining(open));
    expect(await updateOf(taskId, 'bad')).toMatchObject({ outcome: 'failed', cause: 'download-failed' });
    expect(await updateOf(taskId, 'unwanted')).toMatchObject({ status: 'cancelled' });

    const goesOn = await connect('slow');
    await goesOn.progress(80);
    await goesOn.progress(100);
    await goesOn.runs('2.0.0');
    await untilUpdate(taskId, 'slow', status('completed'));
    expect(goesOn.waiting).toBe(0);
    await (await connect('away')).update();
    expect(await ended(taskId)).toMatchObject({
      status: 'completed',
      counts: { succeeded: 3, failed: 1, cancelled: 1 },
    });

    // The run of the second task was never in the engine: it begins anew, and finds its device free.
    const again = await connect('good', '2.0.0');
    await again.update();
    expect(await untilUpdate(nextTask, 'good', status('completed'))).toMatchObject({ outcome: 'succeeded' });
    await (await connect('probe-2.0.0', '2.0.0')).update();
    expect((await ended(nextTask)).counts).toMatchObject({ failed: 0 });
    expect(await openRuns('batchUpdate')).toEqual([]);
  });
});
