import { createHash, randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Device } from './device.js';
import { Ferry, type Json } from './ferry.js';

/*
 * The seed's story, sentence by sentence, on the real thing: Temporal's server, the MQTT broker, HTTP, the database.
 * The tests follow each other, as an operator's day does.
 */

interface TaskBody extends Json {
  readonly id: string;
  readonly status: string;
  readonly counts: Record<string, number>;
  readonly workflow: { readonly id: string; readonly runId: string | null; readonly url: string };
}
interface DeviceUpdateBody {
  readonly deviceName: string;
  readonly status: string;
  readonly outcome: string | null;
  readonly step: number | null;
  readonly cause: string | null;
  readonly detail: string | null;
  readonly attempt: number;
  readonly startedAt: string | null;
  readonly waitingFor: { readonly what: string; readonly then: string } | null;
  readonly workflow: { readonly id: string; readonly runId: string; readonly url: string } | null;
}
interface PageBody<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

const PRODUCT = 'lamp';
const NAMES = ['one', 'two', 'three', 'four', 'five', 'six'];
let ferry: Ferry;
const secrets = new Map<string, string>();
const devices = new Map<string, Device>();
const firmware = new Map<string, string>();

const connect = async (name: string, version = '1.0.0'): Promise<Device> => {
  const device = await Device.connect(ferry.mqttUrl, PRODUCT, name, secrets.get(name) ?? '');
  await device.runs(version);
  devices.set(name, device);
  return device;
};
const device = (name: string): Device => devices.get(name) as Device;
const id = (version: string): string => firmware.get(version) ?? '';
const task = async (taskId: string): Promise<TaskBody> => (await ferry.get<TaskBody>(`/v1/tasks/${taskId}`)).body;
const ended = (taskId: string): Promise<TaskBody> =>
  ferry.until<TaskBody>(`/v1/tasks/${taskId}`, ({ status }) => status === 'completed' || status === 'cancelled');
const updates = async (taskId: string, query = ''): Promise<readonly DeviceUpdateBody[]> =>
  (await ferry.get<PageBody<DeviceUpdateBody>>(`/v1/tasks/${taskId}/devices${query}`)).body.items;
const updateOf = async (taskId: string, name: string) =>
  (await updates(taskId)).find(({ deviceName }) => deviceName === name);
const untilUpdate = async (taskId: string, name: string, wanted: (update: DeviceUpdateBody) => boolean) => {
  const { items } = await ferry.until<PageBody<DeviceUpdateBody>>(`/v1/tasks/${taskId}/devices`, ({ items: all }) =>
    all.some((update) => update.deviceName === name && wanted(update)),
  );
  return items.find(({ deviceName }) => deviceName === name) as DeviceUpdateBody;
};

beforeAll(async () => {
  ferry = await Ferry.start();
  await ferry.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
  const { body } = await ferry.post<{ devices: { deviceName: string; deviceSecret: string }[] }>(
    `/v1/products/${PRODUCT}/devices`,
    {
      devices: [...NAMES, 'coap-1'].map((deviceName) => ({
        deviceName,
        protocol: deviceName.startsWith('coap') ? 'coap' : 'mqtt',
      })),
    },
  );
  for (const { deviceName, deviceSecret } of body.devices) secrets.set(deviceName, deviceSecret);
});
afterAll(async () => {
  await Promise.all([...devices.values()].map((each) => each.leave()));
  await ferry.stop();
});

describe('Add', () => {
  it('Name: only Chinese characters, English letters, digits, underscore; 1–32 characters', async () => {
    for (const name of ['no-hyphen', 'no blank', '', '字'.repeat(33)]) {
      expect(await ferry.addFirmware(PRODUCT, name, '9.9.9')).toMatchObject({
        status: 422,
        body: { code: 'firmware-name-invalid' },
      });
    }
    const added = await ferry.addFirmware(PRODUCT, '灯_Lamp_2', '2.0.0', randomBytes(300_000));
    expect(added).toMatchObject({ status: 201, body: { status: 'unverified' } });
    firmware.set('2.0.0', added.body.id);
  });

  it('File ≤ 10 MB', async () => {
    const tooLarge = await ferry.addFirmware(PRODUCT, 'large', '9.9.9', Buffer.alloc(10 * 1024 * 1024 + 1));
    expect(tooLarge).toMatchObject({ status: 413, body: { code: 'firmware-too-large' } });
  });
});

describe('Validate', () => {
  let taskId: string;

  it('A notification goes to the chosen devices connected over MQTT', async () => {
    await connect('one');
    const started = await ferry.post<TaskBody>(`/v1/firmware/${id('2.0.0')}/verifications`, {
      deviceNames: ['one', 'two'],
      policy: { offlineTimeoutMs: 3_600_000 },
    });
    expect(started.status).toBe(202);
    taskId = started.body.id;
    const { data } = await device('one').notification();
    expect(data).toMatchObject({ version: '2.0.0', size: 300_000, signMethod: 'SHA256' });
    expect(data.url.length).toBeLessThanOrEqual(254);
    expect(
      createHash('sha256')
        .update(await device('one').download({ code: '', id: 0, data }))
        .digest('hex'),
    ).toBe(data.sign);
  });

  it('An update counts as started only after the device has got the notification and reported progress: then its status is Upgrading', async () => {
    expect(await untilUpdate(taskId, 'one', ({ status }) => status === 'notified')).toMatchObject({ startedAt: null });
    await device('one').progress(0);
    expect(await untilUpdate(taskId, 'one', ({ status }) => status === 'upgrading')).toMatchObject({ step: 0 });
    expect((await updateOf(taskId, 'one'))?.startedAt).not.toBeNull();
  });

  it('Progress is then visible', async () => {
    await device('one').progress(42);
    expect((await updateOf(taskId, 'one'))?.step).toBe(42);
  });

  it('Only online ones get it; to offline ones it is sent again when they come online', async () => {
    expect(await updateOf(taskId, 'two')).toMatchObject({ status: 'pending', waitingFor: { what: 'online' } });
    await connect('two');
    await device('two').update();
    await untilUpdate(taskId, 'two', ({ outcome }) => outcome === 'succeeded');
  });

  it('A firmware that is not verified can’t be used for a batch', async () => {
    const refused = await ferry.post(`/v1/firmware/${id('2.0.0')}/batch-updates`, { sourceVersions: ['1.0.0'] });
    expect(refused).toMatchObject({ status: 409, body: { code: 'firmware-not-verified' } });
  });

  it('Once validated, its status is verified, whatever the results on the devices', async () => {
    await device('one').progress(-3, 'digest differs');
    expect((await ended(taskId)).counts).toMatchObject({ succeeded: 1, failed: 1, total: 2 });
    expect((await ferry.get(`/v1/firmware/${id('2.0.0')}`)).body).toMatchObject({ status: 'verified' });
    expect(await updateOf(taskId, 'one')).toMatchObject({
      status: 'completed',
      outcome: 'failed',
      cause: 'verification-failed',
    });
  });

  it('A firmware can be validated many times', async () => {
    const again = await ferry.post<TaskBody>(`/v1/firmware/${id('2.0.0')}/verifications`, { deviceNames: ['one'] });
    await device('one').notification();
    const end = await ferry.post(`/v1/tasks/${again.body.id}/end`);
    expect(end.status).toBe(202);
    expect((await ended(again.body.id)).counts).toMatchObject({ cancelled: 1 });
    expect((await ferry.get(`/v1/firmware/${id('2.0.0')}`)).body).toMatchObject({ status: 'verified' });
  });

  it('CoAP and HTTPS connections are transient: such a device can’t be notified while it is offline', async () => {
    const started = await ferry.post<TaskBody>(`/v1/firmware/${id('2.0.0')}/verifications`, {
      deviceNames: ['coap-1'],
      policy: { offlineTimeoutMs: 1_000 },
    });
    await ended(started.body.id);
    expect(await updateOf(started.body.id, 'coap-1')).toMatchObject({
      outcome: 'failed',
      cause: 'unreachable-transient',
    });
  });
});

describe('Batch update', () => {
  let taskId: string;

  it('The notification goes to all devices on the named source versions; a device that has not finished its last update task fails', async () => {
    for (const name of ['three', 'four', 'five', 'six']) await connect(name);
    const busy = await ferry.post<TaskBody>(`/v1/firmware/${id('2.0.0')}/verifications`, { deviceNames: ['six'] });
    await device('six').notification();
    const started = await ferry.post<TaskBody>(`/v1/firmware/${id('2.0.0')}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    expect(started.status).toBe(202);
    taskId = started.body.id;
    const failed = await untilUpdate(taskId, 'six', ({ outcome }) => outcome === 'failed');
    expect(failed).toMatchObject({ cause: 'device-busy', detail: expect.stringContaining(busy.body.id) as string });
    await ferry.post(`/v1/tasks/${busy.body.id}/devices/six/cancel`);
    await ended(busy.body.id);
  });

  it('Conflict: naming a version that another batch task of the same product already names is refused, naming that task', async () => {
    const added = await ferry.addFirmware(PRODUCT, 'C', '3.0.0');
    firmware.set('3.0.0', added.body.id);
    const verification = await ferry.post<TaskBody>(`/v1/firmware/${id('3.0.0')}/verifications`, {
      deviceNames: ['two'],
    });
    await device('two').notification();
    await ferry.post(`/v1/tasks/${verification.body.id}/end`);
    await ended(verification.body.id);
    const refused = await ferry.post(`/v1/firmware/${id('3.0.0')}/batch-updates`, { sourceVersions: ['1.0.0'] });
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: 'update-task-conflict',
        conflicts: [{ taskId, sourceVersions: ['1.0.0'], firmware: { id: id('2.0.0'), name: '灯_Lamp_2' } }],
      },
    });
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
  });

  it('An update is progressive, from receipt of the notification to completion; devices report their progress themselves', async () => {
    await device('three').update();
    expect(await untilUpdate(taskId, 'three', ({ outcome }) => outcome === 'succeeded')).toMatchObject({ step: 100 });
  });

  it.each([
    ['four', -2, 'download-failed'],
    ['five', -4, 'extraction-failed'],
  ])(
    'On an error the device notifies the service: %s reports step %i, its update is Completed, the device failed',
    async (name, step, cause) => {
      await device(name).notification();
      await device(name).progress(step, 'sector 7');
      const failed = await untilUpdate(taskId, name, ({ outcome }) => outcome !== null);
      expect(failed).toMatchObject({ status: 'completed', outcome: 'failed', cause });
      expect(failed.detail).toContain('sector 7');
    },
  );

  it('An update failure list shows a brief cause for each failed device', async () => {
    await device('one').notification();
    await device('one').runs('2.0.0');
    const { counts } = await ended(taskId);
    expect(counts).toMatchObject({ succeeded: 2, failed: 3, total: 5 });
    const failures = await updates(taskId, '?outcome=failed');
    expect(failures.map(({ deviceName, cause }) => [deviceName, cause])).toEqual([
      ['five', 'extraction-failed'],
      ['four', 'download-failed'],
      ['six', 'device-busy'],
    ]);
    for (const { detail } of failures) expect(detail?.length).toBeGreaterThan(10);
  });

  it('Devices that failed can be re-initiated from the update operation records', async () => {
    const again = await ferry.post<TaskBody>(`/v1/tasks/${taskId}/reinitiate`, { deviceNames: ['four', 'six'] });
    expect(again).toMatchObject({ status: 202, body: { reinitiates: taskId, counts: { total: 2 } } });
    await Promise.all(['four', 'six'].map((name) => device(name).update()));
    expect((await ended(again.body.id)).counts).toMatchObject({ succeeded: 2, failed: 0 });
    for (const { attempt } of await updates(again.body.id)) expect(attempt).toBe(2);
    expect((await task(taskId)).counts).toMatchObject({ failed: 3 });
  });

  it('From validation on, every update operation on a device is recorded', async () => {
    const { body } = await ferry.get<PageBody<Json>>(`/v1/products/${PRODUCT}/devices/four`);
    expect(body).toMatchObject({ version: '2.0.0', online: true });
    const { body: tasks } = await ferry.get<PageBody<TaskBody>>('/v1/tasks?limit=100');
    expect(tasks.items).toHaveLength(7);
    const operations = await Promise.all(tasks.items.map(async ({ id: taskId }) => updateOf(taskId, 'six')));
    // Newest first: re-initiated, busy in the batch, cancelled in the verification.
    const ofSix = operations.filter((operation) => operation !== undefined);
    expect(ofSix.map(({ status, outcome, attempt }) => [status, outcome, attempt])).toEqual([
      ['completed', 'succeeded', 2],
      ['completed', 'failed', 1],
      ['cancelled', null, 1],
    ]);
  });
});

describe('Ops staff in Temporal', () => {
  it('find a product’s failed device updates by status and search attribute, and the record links to its run', async () => {
    const connection = await Connection.connect({ address: ferry.temporalAddress });
    const client = new Client({ connection });
    const query = `ExecutionStatus = 'Failed' AND FerryProductKey = '${PRODUCT}' AND FerryFirmwareVersion = '2.0.0'`;
    const found: { workflowId: string; runId: string }[] = [];
    // Visibility follows the runs by a moment: the records' own list says what it must come to.
    while (found.length < 4) {
      found.length = 0;
      for await (const run of client.workflow.list({ query })) found.push(run);
    }
    expect(new Set(found.map(({ workflowId }) => workflowId))).toEqual(
      new Set(['one', 'four', 'five', 'coap-1'].map((name) => `device-update/${PRODUCT}/${name}`)),
    );
    const failed = await ferry.get<PageBody<TaskBody>>('/v1/tasks?kind=batch');
    const batch = failed.body.items.at(-1) as TaskBody;
    const record = await updateOf(batch.id, 'four');
    expect(record?.workflow?.url).toContain(record?.workflow?.runId);
    expect(found.map(({ runId }) => runId)).toContain(record?.workflow?.runId);
    const { staticSummary } = (await client.workflow
      .getHandle(`device-update/${PRODUCT}/four`, record?.workflow?.runId)
      .describe()) as unknown as { staticSummary: () => Promise<string> };
    expect(await staticSummary()).toContain('four');
    await connection.close();
  });
});

describe('The longest names', () => {
  it('are carried to the end: 32 Chinese characters, 64 characters of version and device name', async () => {
    const version = '𠮷'.repeat(64);
    const long = 'n'.repeat(64);
    const { body } = await ferry.post<{ devices: { deviceSecret: string }[] }>(`/v1/products/${PRODUCT}/devices`, {
      deviceName: long,
    });
    secrets.set(long, body.devices[0]?.deviceSecret ?? '');
    await connect(long);
    const added = await ferry.addFirmware(PRODUCT, '字'.repeat(32), version);
    expect(added.status).toBe(201);
    const started = await ferry.post<TaskBody>(`/v1/firmware/${added.body.id}/verifications`, { deviceNames: [long] });
    await device(long).update();
    expect((await ended(started.body.id)).counts).toMatchObject({ succeeded: 1 });
  });
});

describe('A restart of the whole service', () => {
  it('loses no open update: the device that was waited for is notified after it', async () => {
    await device('two').leave();
    devices.delete('two');
    const started = await ferry.post<TaskBody>(`/v1/firmware/${id('3.0.0')}/verifications`, { deviceNames: ['two'] });
    await untilUpdate(started.body.id, 'two', ({ waitingFor }) => waitingFor?.what === 'online');
    for (const each of devices.values()) await each.leave();
    devices.clear();
    await ferry.restart();
    await connect('two', '2.0.0');
    await device('two').update();
    expect((await ended(started.body.id)).counts).toMatchObject({ succeeded: 1 });
  });
});
