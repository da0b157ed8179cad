import { setImmediate } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { notFound } from '../domain/errors.js';
import type { DeviceKey } from '../domain/ids.js';
import type { Records } from '../records/records.js';
import { pageAnswer, type Answers } from './answers.js';
import { Permission } from './auth.js';
import { createDeviceHistory } from './device-history.js';
import { readRegistration } from './device-registration.js';
import { idempotencyOf, IdempotencyHeaders, markReplay } from './idempotency.js';
import { json, mountUnvalidated, operation } from './operation.js';
import {
  DeviceParams,
  DevicesQuery,
  PageQuery,
  ProductParams,
  RegisterDevices,
  REGISTRATION_BODY,
} from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import {
  DeviceDetailSchema,
  DeviceHistoryEntrySchema,
  DeviceSchema,
  pageOf,
  RegisteredDevicesSchema,
} from './schemas.js';

const registerDevices = operation({
  id: 'registerDevices',
  method: 'post',
  path: '/v1/products/{productKey}/devices',
  tag: 'Devices',
  summary: 'Register devices: one, many, or CSV',
  description:
    'All of them or none. Secrets that are absent are generated. The answer is the only one that shows them.\n\n' +
    'CSV has the header `deviceName[,deviceSecret][,protocol]`, in any order; semicolons or tabs in place of commas, any line ends, UTF-8 or UTF-16. Every bad line is named.',
  permission: Permission.WRITE_DEVICES,
  scope: Scope.PRODUCT,
  action: 'device.register',
  bodyMax: REGISTRATION_BODY,
  request: {
    params: ProductParams,
    headers: IdempotencyHeaders,
    body: {
      required: true,
      content: {
        'application/json': { schema: RegisterDevices },
        'text/csv': { schema: z.string().openapi({ example: 'deviceName,protocol\nlamp-1,mqtt\n' }) },
      },
    },
  },
  responses: { 201: json(RegisteredDevicesSchema, 'The devices with their secrets') },
  problems: ['not-found', 'device-exists', 'idempotency-key-reused', 'registration-changed'],
});

const listDevices = operation({
  id: 'listDevices',
  method: 'get',
  path: '/v1/products/{productKey}/devices',
  tag: 'Devices',
  summary: 'List devices by name',
  permission: Permission.READ,
  scope: Scope.PRODUCT,
  request: { params: ProductParams, query: DevicesQuery },
  responses: { 200: json(pageOf(DeviceSchema), 'A page of devices') },
  problems: ['not-found'],
});

const getDevice = operation({
  id: 'getDevice',
  method: 'get',
  path: '/v1/products/{productKey}/devices/{deviceName}',
  tag: 'Devices',
  summary: 'Show a device, its current update and its history',
  permission: Permission.READ,
  scope: Scope.PRODUCT,
  request: { params: DeviceParams },
  responses: { 200: json(DeviceDetailSchema, 'The device') },
  problems: ['not-found'],
});

const listDeviceHistory = operation({
  id: 'listDeviceHistory',
  method: 'get',
  path: '/v1/products/{productKey}/devices/{deviceName}/updates',
  tag: 'Devices',
  summary: 'List the updates of a device over all tasks, newest first',
  permission: Permission.READ,
  scope: Scope.PRODUCT,
  request: { params: DeviceParams, query: PageQuery },
  responses: { 200: json(pageOf(DeviceHistoryEntrySchema), 'A page of device updates') },
  problems: ['not-found'],
});

/** History that a device's details begin with. */
const FIRST_UPDATES = 20;

export function deviceRoutes(deps: {
  readonly records: Records;
  readonly answers: Answers;
  readonly now: () => number;
}) {
  const { records, answers, now } = deps;
  const historyOf = createDeviceHistory(records, answers);

  async function historyPage(key: DeviceKey, page: { readonly limit: number; readonly cursor?: string | undefined }) {
    const found = await records.listDeviceHistory(key, page);
    return { items: await historyOf(found.items), nextCursor: found.nextCursor };
  }
  async function requireDevice(key: DeviceKey) {
    const device = await records.getDevice(key);
    if (!device) throw notFound(`The device ${key.deviceName} of product ${key.productKey}`);
    return device;
  }

  const router = newRouter()
    .openapi(listDevices, async (c) => {
      const { productKey } = c.req.valid('param');
      const { limit, cursor, ...filter } = c.req.valid('query');
      if (!(await records.getProduct(productKey))) throw notFound(`The product ${productKey}`);
      const page = await records.listDevices(productKey, filter, { limit, cursor });
      const policies = await answers.policiesOf(page.items.flatMap(({ currentUpdate }) => currentUpdate ?? []));
      return c.json(
        pageAnswer(page, (device) => answers.device(device, policies)),
        200,
      );
    })
    .openapi(getDevice, async (c) => {
      const key = c.req.valid('param');
      const device = await requireDevice(key);
      const policies = await answers.policiesOf(device.currentUpdate ? [device.currentUpdate] : []);
      const [history, [currentUpdate = null]] = await Promise.all([
        historyPage(key, { limit: FIRST_UPDATES }),
        historyOf(device.currentUpdate ? [device.currentUpdate] : []),
      ]);
      return c.json({ ...answers.device(device, policies), currentUpdate, history }, 200);
    })
    .openapi(listDeviceHistory, async (c) => {
      const key = c.req.valid('param');
      await requireDevice(key);
      return c.json(await historyPage(key, c.req.valid('query')), 200);
    });

  mountUnvalidated(router, registerDevices, async (c) => {
    const { devices, body } = await readRegistration(c);
    const idempotency = idempotencyOf(c, body);
    const created = await records.registerDevices(c.req.param('productKey') ?? '', devices, now(), idempotency);
    // Others have their turn between the write and the answer of thousands.
    await setImmediate();
    const registered = markReplay(c, created).map(({ deviceName, deviceSecret, protocol }) => ({
      deviceName,
      deviceSecret,
      protocol,
    }));
    return c.json({ devices: registered }, 201);
  });
  return router;
}
