import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceDetailAnswer, OverviewAnswer, TimelineAnswer } from '../../api/schemas.js';
import { PRODUCT, World, type ProblemBody } from './world.js';

/* What an operator must know to decide, and what the console can't find out by itself. */

let world: World;
beforeEach(async () => {
  world = await World.open({ approvalAbove: 2 });
  await world.product();
});
afterEach(() => world.close());

const token = async (name: string, role: string) =>
  (await world.post<{ token: string }>('/v1/tokens', { name, role })).body.token;
const as = <T>(bearer: string, method: string, path: string, json?: unknown) =>
  world.send<T>(method, path, {
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
async function waitingBatch(): Promise<string> {
  const firmwareId = await world.verifiedFirmware();
  const path = `/v1/firmware/${firmwareId}/batch-updates`;
  return (await world.post<{ id: string }>(path, { sourceVersions: ['1.0.0'] })).body.id;
}

describe('What waits, by the overview,', () => {
  it('waits for the one who may do it: nobody approves a batch of their own, and a viewer does nothing', async () => {
    const batchId = await waitingBatch();
    const attention = async (bearer: string) =>
      (await as<OverviewAnswer>(bearer, 'GET', '/v1/overview')).body.attention;
    const [ada, eve] = [await token('Ada', 'operator'), await token('Eve', 'viewer')];
    await world.firmware('9.0.0');
    expect(await attention(ada)).toMatchObject({ tasksToApprove: [{ id: batchId }], firmwareToValidate: [{}] });
    const own = (await world.get<OverviewAnswer>('/v1/overview')).body.attention;
    expect(own).toMatchObject({ tasksToApprove: [], firmwareToValidate: [{}] });
    const nothing = { tasksToApprove: [], tasksPaused: [], tasksToReinitiate: [], firmwareToValidate: [] };
    expect(await attention(eve)).toEqual(nothing);
  });
});

describe('A decision', () => {
  it('that is sent twice at once is in the audit log once', async () => {
    const batchId = await waitingBatch();
    const bob = await token('Bob', 'operator');
    const approve = () => as(bob, 'POST', `/v1/tasks/${batchId}/approve`, { remark: 'go' });
    const [first, second] = await Promise.all([approve(), approve()]);
    expect([first.status, second.status]).toEqual([202, 202]);
    const { body } = await world.get<{ items: unknown[] }>(`/v1/audit?action=task.approve`);
    expect(body.items).toMatchObject([{ actor: 'Bob', outcome: 'done' }]);
  });
});

describe('The question who is signed in', () => {
  it('counts as no failed attempt, however often it is asked', async () => {
    const { url } = await world.listen();
    for (let i = 0; i < 60; i++) expect((await fetch(`${url}/v1/session`)).status).toBe(401);
    expect((await fetch(`${url}/v1/overview`)).status).toBe(401);
    // It is answered as well where other requests are held back.
    for (let i = 0; i < 40; i++) await fetch(`${url}/v1/overview`);
    expect((await fetch(`${url}/v1/overview`)).status).toBe(429);
    expect((await fetch(`${url}/v1/session`)).status).toBe(401);
  });
});

describe('The history of a device', () => {
  it('says to which firmware each update was, of what kind of task, and who cancelled it', async () => {
    const bob = await token('Bob', 'operator');
    const firmwareId = await world.firmware('2.0.0');
    const path = `/v1/firmware/${firmwareId}/verifications`;
    const { body: task } = await world.post<{ id: string }>(path, { deviceNames: ['lamp-1', 'lamp-2', 'lamp-3'] });
    await world.records.taskBegun(task.id, 'run', 1);
    expect(await as(bob, 'POST', `/v1/tasks/${task.id}/devices/lamp-1/cancel`)).toMatchObject({ status: 202 });
    const ada = await token('Ada', 'operator');
    expect(await as(ada, 'POST', `/v1/tasks/${task.id}/cancel`)).toMatchObject({ status: 202 });
    // A later request for the same has changed nothing.
    await as(bob, 'POST', `/v1/tasks/${task.id}/cancel`);
    await world.succeed(task.id, 'lamp-3');
    await world.records.taskEnded(task.id, 'cancelled', Date.now());

    const device = async (name: string) =>
      (await world.get<DeviceDetailAnswer>(`/v1/products/${PRODUCT}/devices/${name}`)).body;
    const shared = {
      ...{ kind: 'verification', startedBy: 'admin', sourceVersions: [] },
      firmware: { id: firmwareId, name: 'lamp', module: 'default', version: '2.0.0' },
    };
    expect((await device('lamp-1')).history.items).toMatchObject([{ ...shared, cancelledBy: 'Bob' }]);
    expect((await device('lamp-2')).history.items).toMatchObject([{ ...shared, cancelledBy: 'Ada' }]);
    expect((await device('lamp-3')).history.items).toMatchObject([{ outcome: 'succeeded', cancelledBy: null }]);
  });
});

describe('A firmware file that is damaged', () => {
  const damage = async () => {
    const [name = ''] = await world.files();
    const entries = await readdir(world.filesFolder, { recursive: true });
    await writeFile(join(world.filesFolder, entries.find((entry) => entry.endsWith(name)) ?? ''), 'no firmware');
  };
  const put = (id: string, content: string) => {
    const form = new FormData();
    form.set('file', new Blob([content]), 'again.bin');
    return world.send<ProblemBody>('PUT', `/v1/firmware/${id}/file`, { body: form });
  };

  it('is named by its firmware, waits for somebody, and is mended by the same file only', async () => {
    const id = await world.firmware('2.0.0', 'the firmware');
    expect(await world.get(`/v1/firmware/${id}`)).toMatchObject({ body: { file: 'intact' } });
    const { body: task } = await world.post<{ id: string }>(`/v1/firmware/${id}/verifications`, {
      deviceNames: ['lamp-1'],
    });
    await world.records.taskBegun(task.id, 'run', 1);
    await damage();
    const { body: firmware } = await world.get<{ file: string; sha256: string }>(`/v1/firmware/${id}`);
    expect(firmware.file).toBe('corrupt');
    await world.records.pauseTasksOf(firmware.sha256, 'firmware-file-damaged', 2);
    const attention = async () => (await world.get<OverviewAnswer>('/v1/overview')).body.attention;
    expect(await attention()).toMatchObject({ tasksPaused: [{ id: task.id }] });

    expect(await put(id, 'another firmware')).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'file', message: expect.stringContaining('another file') as unknown }] },
    });
    expect(await world.get(`/v1/firmware/${id}`)).toMatchObject({ body: { file: 'corrupt' } });
    expect(await put(id, 'the firmware')).toMatchObject({ status: 200, body: { file: 'intact' } });
    expect(await attention()).toMatchObject({ tasksPaused: [] });
    expect(await world.get(`/v1/tasks/${task.id}`)).toMatchObject({ body: { status: 'running', pausedCause: null } });
    expect(await world.files()).toHaveLength(1);
  });

  it('is not needed any more once the firmware is deleted', async () => {
    const id = await world.firmware('2.0.0', 'the firmware');
    await world.call('DELETE', `/v1/firmware/${id}`);
    expect(await world.get(`/v1/firmware/${id}`)).toMatchObject({ body: { file: null } });
    expect(await put(id, 'the firmware')).toMatchObject({ status: 409, body: { code: 'firmware-deleted' } });
  });
});

describe('The latest minutes of a task', () => {
  it('are counted apart, with the devices that are online and have not ended', async () => {
    const taskId = await waitingBatch();
    await world.records.taskBegun(taskId, 'run', Date.now() - 3_600_000);
    await world.records.deviceConnected({ productKey: PRODUCT, deviceName: 'lamp-2' }, 'c', 1);
    await world.succeed(taskId, 'lamp-1');
    const { body } = await world.get<TimelineAnswer>(`/v1/tasks/${taskId}/timeline?minutes=5`);
    expect(body.online).toBe(1);
    expect(Date.parse(body.from)).toBeGreaterThan(Date.now() - 6 * 60_000);
    expect(body.points.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBe(1);
    await world.end(taskId);
    const ended = await world.get<TimelineAnswer>(`/v1/tasks/${taskId}/timeline`);
    expect(ended.body.online).toBe(0);
    expect((await world.get(`/v1/tasks/${taskId}/timeline?minutes=0`)).status).toBe(400);
  });
});

describe('Where devices connect', () => {
  it('is told to every role', async () => {
    const eve = await token('Eve', 'viewer');
    expect(await as(eve, 'GET', '/v1/connection-info')).toMatchObject({
      status: 200,
      body: { mqtt: { host: 'mqtt.test', port: 1883, tlsPort: 8883, clientCertificates: false } },
    });
  });
});
