import { notFound } from '../domain/errors.js';
import type { DeviceKey } from '../domain/ids.js';
import type { Records } from '../records/records.js';
import { isoOrNull, type Answers } from './answers.js';
import { noteBefore } from './audit.js';
import { Permission } from './auth.js';
import type { ApiDeps } from './deps.js';
import { newDeviceSecret } from './ids.js';
import { json, jsonBody, operation, optionalJsonBody } from './operation.js';
import { DeviceParams, RenameDevice, RotateSecret } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { DeviceSchema, RegisteredDeviceSchema } from './schemas.js';

const shared = { tag: 'Devices', permission: Permission.WRITE_DEVICES, scope: Scope.PRODUCT } as const;

const rotateSecret = operation({
  id: 'rotateSecret',
  ...shared,
  method: 'post',
  path: '/v1/products/{productKey}/devices/{deviceName}/secret',
  summary: 'Give a device another secret; the old one is void at once',
  description: 'Its connection is cut. The answer is the only one that shows the secret.',
  action: 'device.rotate-secret',
  request: { params: DeviceParams, body: optionalJsonBody(RotateSecret) },
  responses: { 200: json(RegisteredDeviceSchema, 'The device with its secret') },
  problems: ['not-found'],
});

const revokeDevice = operation({
  id: 'revokeDevice',
  ...shared,
  method: 'post',
  path: '/v1/products/{productKey}/devices/{deviceName}/revoke',
  summary: 'Keep a device out: it is cut off at once, and may not sign in',
  action: 'device.revoke',
  request: { params: DeviceParams },
  responses: { 200: json(DeviceSchema, 'The device') },
  problems: ['not-found'],
});

const restoreDevice = operation({
  id: 'restoreDevice',
  ...shared,
  method: 'post',
  path: '/v1/products/{productKey}/devices/{deviceName}/restore',
  summary: 'Let a revoked device sign in again',
  action: 'device.restore',
  request: { params: DeviceParams },
  responses: { 200: json(DeviceSchema, 'The device') },
  problems: ['not-found'],
});

const renameDevice = operation({
  id: 'renameDevice',
  ...shared,
  method: 'patch',
  path: '/v1/products/{productKey}/devices/{deviceName}',
  summary: 'Give a device another name, by which it signs in from now on',
  description:
    'It keeps its secret and is cut off. Its update records stay under the old name. An open task that updates it is in the way.',
  action: 'device.rename',
  request: { params: DeviceParams, body: jsonBody(RenameDevice) },
  responses: { 200: json(DeviceSchema, 'The device') },
  problems: ['not-found', 'device-exists', 'device-in-use'],
});

const deleteDevice = operation({
  id: 'deleteDevice',
  ...shared,
  method: 'delete',
  path: '/v1/products/{productKey}/devices/{deviceName}',
  summary: 'Delete a device: it is cut off, and its secret is void',
  description: 'Its update records stay. An open task that updates it is in the way.',
  action: 'device.delete',
  request: { params: DeviceParams },
  responses: { 200: json(DeviceSchema, 'The device as it was') },
  problems: ['not-found', 'device-in-use'],
});

interface DeviceSecretDeps {
  readonly records: Pick<
    Records,
    'getDevice' | 'rotateDeviceSecret' | 'revokeDevice' | 'renameDevice' | 'deleteDevice' | 'getTask'
  >;
  readonly answers: Answers;
  readonly cutOff: ApiDeps['cutOff'];
  readonly now: () => number;
}

/** Who may sign in as a device. */
export function deviceSecretRoutes({ records, answers, cutOff, now }: DeviceSecretDeps) {
  async function revokedSince(key: DeviceKey): Promise<{ readonly revokedAt: string | null }> {
    const device = await records.getDevice(key);
    if (!device) throw notFound(`The device ${key.deviceName} of product ${key.productKey}`);
    return { revokedAt: isoOrNull(device.revokedAtMs) };
  }
  async function setRevoked(key: DeviceKey, revokedAtMs: number | null) {
    const device = await records.revokeDevice(key, revokedAtMs);
    return answers.device(device, await answers.policiesOf(device.currentUpdate ? [device.currentUpdate] : []));
  }

  return newRouter()
    .openapi(rotateSecret, async (c) => {
      const key = c.req.valid('param');
      const deviceSecret = c.req.valid('json').deviceSecret ?? newDeviceSecret();
      const { protocol } = await records.rotateDeviceSecret(key, deviceSecret);
      await cutOff(key);
      c.header('Cache-Control', 'no-store');
      return c.json({ deviceName: key.deviceName, deviceSecret, protocol }, 200);
    })
    .openapi(revokeDevice, async (c) => {
      const key = c.req.valid('param');
      noteBefore(c, await revokedSince(key));
      const device = await setRevoked(key, now());
      await cutOff(key);
      return c.json(device, 200);
    })
    .openapi(restoreDevice, async (c) => {
      const key = c.req.valid('param');
      noteBefore(c, await revokedSince(key));
      return c.json(await setRevoked(key, null), 200);
    })
    .openapi(renameDevice, async (c) => {
      const key = c.req.valid('param');
      noteBefore(c, { deviceName: key.deviceName });
      const renamed = await records.renameDevice(key, c.req.valid('json').deviceName);
      await cutOff(key);
      return c.json(answers.device(renamed, new Map()), 200);
    })
    .openapi(deleteDevice, async (c) => {
      const key = c.req.valid('param');
      const deleted = answers.device(await records.deleteDevice(key), new Map());
      noteBefore(c, deleted);
      await cutOff(key);
      return c.json(deleted, 200);
    });
}
