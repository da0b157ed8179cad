import { Device } from '../e2e/device.js';
import type { Ferry } from '../e2e/ferry.js';

const PRODUCT = 'lamps';

export interface Fleet {
  readonly productKey: string;
  /** Verified; a batch of it is running. */
  readonly firmwareId: string;
  readonly verificationId: string;
  /** Devices in every state. */
  readonly batchId: string;
  /** Ended, with a failed device. */
  readonly endedId: string;
  /** Those that are online. */
  readonly devices: ReadonlyMap<string, Device>;
  leave(): Promise<void>;
}

/**
 * A product in the midst of its life, on a real service: two versions, an ended batch with a failure, a running one with
 * devices in every state, a firmware that nobody has validated.
 */
export async function openFleet(ferry: Ferry): Promise<Fleet> {
  await ferry.post('/v1/products', { productKey: PRODUCT, name: 'Street lamp' });
  const secrets = await register(ferry);
  const online = [...secrets.keys()].filter((name) => name.startsWith('lamp-0'));
  const devices = new Map<string, Device>();
  for (const name of online) {
    const device = await Device.connect(ferry.mqttUrl, PRODUCT, name, secrets.get(name) ?? '');
    await device.runs('1.0.0');
    devices.set(name, device);
  }
  const device = (name: string) => devices.get(name) as Device;
  // Those that are offline have reported their version before.
  for (const name of [...secrets.keys()].filter((one) => one.startsWith('lamp-1'))) {
    const visitor = await Device.connect(ferry.mqttUrl, PRODUCT, name, secrets.get(name) ?? '');
    await visitor.runs(name < 'lamp-13' ? '1.0.0' : '0.9.4');
    await visitor.leave();
  }

  const firmwareId = (await ferry.addFirmware(PRODUCT, 'lamp_main', '2.0.0', new Uint8Array(300_000))).body.id;
  await ferry.addFirmware(PRODUCT, 'lamp_main', '2.1.0', new Uint8Array(320_000));
  const verification = await ferry.post<{ id: string }>(`/v1/firmware/${firmwareId}/verifications`, {
    deviceNames: ['lamp-08', 'lamp-09'],
  });
  await Promise.all([device('lamp-08').update(), fail(device('lamp-09'), -2, 'HTTP 503')]);
  await ferry.until<{ status: string }>(`/v1/tasks/${verification.body.id}`, ({ status }) => status === 'completed');

  const ended = await ferry.post<{ id: string }>(`/v1/firmware/${firmwareId}/batch-updates`, {
    sourceVersions: ['1.0.0'],
    deviceNames: ['lamp-06', 'lamp-07'],
  });
  await Promise.all([device('lamp-06').update(), fail(device('lamp-07'), -3, 'sha256 differs')]);
  await ferry.until<{ status: string }>(`/v1/tasks/${ended.body.id}`, ({ status }) => status === 'completed');

  const batch = await ferry.post<{ id: string }>(`/v1/firmware/${firmwareId}/batch-updates`, {
    sourceVersions: ['1.0.0'],
  });
  await Promise.all([
    ...['lamp-00', 'lamp-01', 'lamp-09'].map((name) => device(name).update()),
    fail(device('lamp-02'), -4, 'flash is full'),
    upgrade(device('lamp-03'), 40),
    upgrade(device('lamp-04'), 75),
    device('lamp-05').notification(),
  ]);
  await ferry.until<{ counts: { succeeded: number; failed: number; upgrading: number } }>(
    `/v1/tasks/${batch.body.id}`,
    ({ counts }) => counts.succeeded === 3 && counts.failed === 1 && counts.upgrading === 2,
  );
  return {
    ...{ productKey: PRODUCT, firmwareId, devices },
    ...{ verificationId: verification.body.id, endedId: ended.body.id, batchId: batch.body.id },
    leave: async () => {
      await Promise.all(Array.from(devices.values(), (one) => one.leave()));
    },
  };
}

async function register(ferry: Ferry): Promise<Map<string, string>> {
  const names = [
    ...Array.from({ length: 10 }, (_, i) => `lamp-0${i}`),
    ...Array.from({ length: 9 }, (_, i) => `lamp-1${i}`),
  ];
  const { body } = await ferry.post<{ devices: { deviceName: string; deviceSecret: string }[] }>(
    `/v1/products/${PRODUCT}/devices`,
    { devices: [...names.map((deviceName) => ({ deviceName })), { deviceName: 'meter-1', protocol: 'http' }] },
  );
  return new Map(body.devices.map(({ deviceName, deviceSecret }) => [deviceName, deviceSecret]));
}

async function upgrade(device: Device, step: number): Promise<void> {
  await device.notification();
  await device.progress(0);
  await device.progress(step);
}

async function fail(device: Device, step: number, description: string): Promise<void> {
  await upgrade(device, 20);
  await device.progress(step, description);
}
