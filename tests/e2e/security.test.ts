import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { NewTokenAnswer, RegisteredDevicesAnswer, TaskAnswer } from '../../api/schemas.js';
import { createDevCertificates } from '../../worker/dev-certificates.js';
import { ServiceProcess } from '../support/service-process.js';
import { Device } from './device.js';
import { Ferry } from './ferry.js';

/* The whole service, as strangers, thieves and careless operators meet it. */

let ferry: Ferry;
let started: Ferry | undefined;
const devices: Device[] = [];
afterEach(async () => {
  for (const device of devices.splice(0)) await device.leave();
  await started?.stop();
  started = undefined;
});

async function lamps(...names: string[]): Promise<Map<string, string>> {
  await ferry.post('/v1/products', { productKey: 'lamps', name: 'Lamp' });
  const added = { devices: names.map((deviceName) => ({ deviceName })) };
  const { body } = await ferry.post<RegisteredDevicesAnswer>('/v1/products/lamps/devices', added);
  return new Map(body.devices.map(({ deviceName, deviceSecret }) => [deviceName, deviceSecret]));
}
async function connect(name: string, secret: string | undefined): Promise<Device> {
  const device = await Device.connect(ferry.mqttUrl, 'lamps', name, secret ?? '');
  devices.push(device);
  return device;
}
const task = (id: string, wanted: (task: TaskAnswer) => boolean) => ferry.until<TaskAnswer>(`/v1/tasks/${id}`, wanted);

describe('A batch above the limit of one operator', () => {
  it('reaches no device before a second one has approved it, also over a restart', async () => {
    ferry = started = await Ferry.start({ FERRY_APPROVAL_ABOVE: '1' });
    const secrets = await lamps('lamp-1', 'lamp-2', 'lamp-3');
    for (const name of secrets.keys()) await (await connect(name, secrets.get(name))).runs('1.0.0');
    const { body: firmware } = await ferry.addFirmware('lamps', 'main', '2.0.0');
    const { body: trial } = await ferry.post<TaskAnswer>(`/v1/firmware/${firmware.id}/verifications`, {
      deviceNames: ['lamp-3'],
    });
    await devices[2]?.update();
    await task(trial.id, ({ status }) => status === 'completed');

    const { body: bob } = await ferry.post<NewTokenAnswer>('/v1/tokens', { name: 'bob', role: 'operator' });
    const { body: batch } = await ferry.post<TaskAnswer>(`/v1/firmware/${firmware.id}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    await task(batch.id, ({ status }) => status === 'awaiting-approval');
    const own = await ferry.post(`/v1/tasks/${batch.id}/approve`);
    expect(own).toMatchObject({ status: 403, body: { code: 'second-operator-required' } });
    await ferry.restart();
    const [first, second] = await Promise.all(['lamp-1', 'lamp-2'].map((name) => connect(name, secrets.get(name))));
    expect((first?.waiting ?? 0) + (second?.waiting ?? 0)).toBe(0);

    const remark = { remark: 'lamp-3 is fine' };
    const authorization = { authorization: `Bearer ${bob.token}` };
    expect((await ferry.call('POST', `/v1/tasks/${batch.id}/approve`, remark, authorization)).status).toBe(202);
    await Promise.all([first?.update(), second?.update()]);
    const done = await task(batch.id, ({ status }) => status === 'completed');
    expect(done).toMatchObject({ counts: { succeeded: 2 }, approval: { by: 'bob', remark: 'lamp-3 is fine' } });
    const { body: log } = await ferry.get<{ items: object[] }>('/v1/audit?action=task.approve');
    expect(log.items).toMatchObject([
      { actor: 'bob', outcome: 'done', address: '127.0.0.1' },
      { actor: 'admin', outcome: 'second-operator-required' },
    ]);
  });
});

describe('A device', () => {
  it('is cut off in mid-connection when it is revoked, or its secret is rotated', async () => {
    ferry = started = await Ferry.start();
    const secrets = await lamps('lamp-1');
    const device = await connect('lamp-1', secrets.get('lamp-1'));
    const cut = device.cut();
    expect((await ferry.post('/v1/products/lamps/devices/lamp-1/revoke')).status).toBe(200);
    await cut;
    await expect(connect('lamp-1', secrets.get('lamp-1'))).rejects.toThrow();
    await ferry.post('/v1/products/lamps/devices/lamp-1/restore');
    const back = await connect('lamp-1', secrets.get('lamp-1'));
    const again = back.cut();
    const { body } = await ferry.post<{ deviceSecret: string }>('/v1/products/lamps/devices/lamp-1/secret');
    await again;
    await expect(connect('lamp-1', secrets.get('lamp-1'))).rejects.toThrow();
    await connect('lamp-1', body.deviceSecret);
  });
});

describe('A firmware file that was changed on disk', () => {
  it('is not sent: its task pauses with the cause, an alarm counts it, and it goes on when the file is added again', async () => {
    ferry = started = await Ferry.start();
    const secrets = await lamps('lamp-1');
    await (await connect('lamp-1', secrets.get('lamp-1'))).runs('1.0.0');
    await devices.pop()?.leave();
    const { body: firmware } = await ferry.addFirmware('lamps', 'main', '2.0.0');
    const files = join(ferry.folder, 'files');
    const [stored = ''] = (await readdir(files, { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name));
    await writeFile(join(files, stored), 'something else');
    const { body: trial } = await ferry.post<TaskAnswer>(`/v1/firmware/${firmware.id}/verifications`, {
      deviceNames: ['lamp-1'],
    });
    const device = await connect('lamp-1', secrets.get('lamp-1'));
    const paused = await task(trial.id, ({ status }) => status === 'paused');
    expect(paused).toMatchObject({ pausedCause: 'firmware-file-damaged' });
    const metrics = await (await fetch(new URL('/metrics', ferry.url))).text();
    expect(metrics).toMatch(/ferry_firmware_files_damaged_total [1-9]/);
    expect(metrics).toMatch(/ferry_tasks_paused 1/);
    expect(device.waiting).toBe(0);
    // The same content under another version: it lands in the same file.
    await ferry.addFirmware('lamps', 'again', '2.0.1', Buffer.from('firmware 2.0.0'));
    await task(trial.id, ({ status }) => status === 'running');
    await device.update();
    await task(trial.id, ({ status }) => status === 'completed');
  });
});

describe('The service with a certificate', () => {
  it('speaks TLS to operators and devices, and to nobody without', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-tls-'));
    const made = await createDevCertificates(folder, { hosts: ['localhost', '127.0.0.1'] });
    ferry = started = await Ferry.start({
      FERRY_TLS_CERT: made.cert,
      FERRY_TLS_KEY: made.key,
      FERRY_MQTT_PLAIN: 'off',
    });
    const ca = await readFile(made.ca, 'utf8');
    expect(ferry.url).toMatch(/^https:/);
    expect(ferry.mqttUrl).toMatch(/^mqtts:/);
    const call = (method: string, path: string, body?: object) =>
      new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
        const headers = { authorization: `Bearer ${ferry.adminToken}`, 'content-type': 'application/json' };
        request(new URL(path, ferry.url), { method, ca, headers, agent: false }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as never }));
        })
          .on('error', reject)
          .end(body && JSON.stringify(body));
      });
    await call('POST', '/v1/products', { productKey: 'lamps', name: 'Lamp' });
    const added = await call('POST', '/v1/products/lamps/devices', { deviceName: 'lamp-1' });
    const [registered] = (added.body as unknown as RegisteredDevicesAnswer).devices;
    const device = await Device.connect(ferry.mqttUrl, 'lamps', 'lamp-1', registered?.deviceSecret ?? '', ca);
    devices.push(device);
    await device.runs('1.0.0');
    expect((await call('GET', '/v1/products/lamps/devices/lamp-1')).body).toMatchObject({
      version: '1.0.0',
      online: true,
    });
    await expect(fetch(ferry.url.replace('https:', 'http:'))).rejects.toThrow();
    await rm(folder, { recursive: true });
  });
});

describe('What the service keeps', () => {
  it('is for its owner only, and has no secret in clear', async () => {
    ferry = started = await Ferry.start();
    const secrets = await lamps('lamp-1');
    await connect('lamp-1', secrets.get('lamp-1'));
    const mode = async (name: string) => (await stat(join(ferry.folder, name))).mode & 0o777;
    expect(await mode('admin-token')).toBe(0o600);
    expect(await mode('secret-keys')).toBe(0o600);
    const secret = secrets.get('lamp-1') ?? '';
    for (const name of ['ferry.db', 'ferry.db-wal', 'temporal.db', 'temporal.log']) {
      const bytes = await readFile(join(ferry.folder, name)).catch(() => Buffer.alloc(0));
      expect(bytes.includes(secret), name).toBe(false);
      expect(bytes.includes(ferry.adminToken), name).toBe(false);
    }
  });

  it('is for nobody else, down to the last file, also in a folder that others may enter', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-modes-'));
    await mkdir(join(folder, 'data'), { mode: 0o755 });
    const service = await ServiceProcess.at(folder);
    try {
      await service.start();
      const names = await readdir(join(folder, 'data'), { recursive: true });
      expect(names).toContain('temporal.db');
      for (const name of names) {
        const { mode } = await stat(join(folder, 'data', name));
        expect(mode & 0o077, name).toBe(0);
      }
    } finally {
      await service.destroy();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
