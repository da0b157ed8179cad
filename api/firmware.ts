import { z } from '@hono/zod-openapi';
import { notFound } from '../domain/errors.js';
import type { FirmwareLimits } from '../domain/policy.js';
import type { Records } from '../records/records.js';
import { firmwareAnswer, pageAnswer } from './answers.js';
import { noteBefore } from './audit.js';
import { Permission } from './auth.js';
import type { FirmwareIntake } from './firmware-intake.js';
import { IdempotencyHeaders, markReplay } from './idempotency.js';
import { json, mountUnvalidated, operation } from './operation.js';
import { FirmwareFields, FirmwareQuery, IdParams } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import { FirmwarePageSchema, FirmwareSchema } from './schemas.js';

const UploadSchema = FirmwareFields.extend({
  file: z.string().openapi({ format: 'binary', description: 'The firmware file; not empty.' }),
}).openapi('FirmwareUpload');

const addFirmware = operation({
  id: 'addFirmware',
  method: 'post',
  path: '/v1/firmware',
  tag: 'Firmware',
  summary: 'Add a firmware',
  description:
    'The name has only Chinese characters, English letters, digits and underscores. Deleted firmware counts in the quota.',
  permission: Permission.WRITE_FIRMWARE,
  scope: Scope.NARROWED,
  action: 'firmware.add',
  request: {
    headers: IdempotencyHeaders,
    body: { required: true, content: { 'multipart/form-data': { schema: UploadSchema } } },
  },
  responses: { 201: json(FirmwareSchema, 'The firmware') },
  problems: [
    'not-found',
    'firmware-name-invalid',
    'firmware-too-large',
    'firmware-empty',
    'firmware-quota-exceeded',
    'firmware-version-exists',
    'firmware-signature-invalid',
    'trust-undecided',
    'idempotency-key-reused',
  ],
});

const listFirmware = operation({
  id: 'listFirmware',
  method: 'get',
  path: '/v1/firmware',
  tag: 'Firmware',
  summary: 'List firmware, newest first, without deleted ones',
  permission: Permission.READ,
  scope: Scope.NARROWED,
  request: { query: FirmwareQuery },
  responses: { 200: json(FirmwarePageSchema, 'A page of firmware, and how much of the quota is used') },
  problems: ['not-found'],
});

const getFirmware = operation({
  id: 'getFirmware',
  method: 'get',
  path: '/v1/firmware/{id}',
  tag: 'Firmware',
  summary: 'Show a firmware, also a deleted one',
  permission: Permission.READ,
  scope: Scope.FIRMWARE,
  request: { params: IdParams },
  responses: { 200: json(FirmwareSchema, 'The firmware') },
  problems: ['not-found'],
});

const deleteFirmware = operation({
  id: 'deleteFirmware',
  method: 'delete',
  path: '/v1/firmware/{id}',
  tag: 'Firmware',
  summary: 'Delete a firmware that no open task uses',
  description: 'Its records stay, and it goes on counting in the quota; its file goes.',
  permission: Permission.WRITE_FIRMWARE,
  scope: Scope.FIRMWARE,
  action: 'firmware.delete',
  request: { params: IdParams },
  responses: { 200: json(FirmwareSchema, 'The deleted firmware') },
  problems: ['not-found', 'firmware-in-use'],
});

export function firmwareRoutes(deps: {
  readonly records: Records;
  readonly intake: FirmwareIntake;
  readonly limits: FirmwareLimits;
  readonly now: () => number;
}) {
  const { records, intake, now } = deps;
  const { firmwareMax, ...newFirmware } = deps.limits;
  const router = newRouter()
    .openapi(listFirmware, async (c) => {
      const { productKey: asked, ...page } = c.req.valid('query');
      const productKey = narrowed(c, asked);
      const [found, used] = await Promise.all([records.listFirmware({ productKey }, page), records.countFirmware()]);
      return c.json(
        { ...pageAnswer(found, firmwareAnswer), quota: { used, max: firmwareMax }, limits: newFirmware },
        200,
      );
    })
    .openapi(getFirmware, async (c) => {
      const { id } = c.req.valid('param');
      const firmware = await records.getFirmware(id);
      if (!firmware) throw notFound(`Firmware ${id}`);
      return c.json(firmwareAnswer(firmware), 200);
    })
    .openapi(deleteFirmware, async (c) => {
      const { id } = c.req.valid('param');
      const before = await records.getFirmware(id);
      if (before) noteBefore(c, firmwareAnswer(before));
      const deleted = await records.deleteFirmware(id, now());
      await intake.release(deleted);
      return c.json(firmwareAnswer(deleted), 200);
    });

  mountUnvalidated(router, addFirmware, async (c) => {
    const firmware = markReplay(c, await intake.add(c));
    c.header('Location', `/v1/firmware/${firmware.id}`);
    return c.json(firmwareAnswer(firmware), 201);
  });
  return router;
}
