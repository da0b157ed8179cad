import { Readable } from 'node:stream';
import { z } from '@hono/zod-openapi';
import { FerryError, notFound } from '../domain/errors.js';
import type { FirmwareLimits } from '../domain/policy.js';
import type { FirmwareStore } from '../firmware/store.js';
import type { Firmware, Records } from '../records/records.js';
import { firmwareAnswer, pageAnswer } from './answers.js';
import { noteBefore } from './audit.js';
import { Permission } from './auth.js';
import type { FirmwareIntake } from './firmware-intake.js';
import { IdempotencyHeaders, markReplay } from './idempotency.js';
import { json, mountUnvalidated, operation } from './operation.js';
import { FirmwareFields, FirmwareQuery, IdParams } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import { FirmwareDetailSchema, FirmwarePageSchema, FirmwareSchema } from './schemas.js';

const UploadSchema = FirmwareFields.extend({
  file: z.string().openapi({ format: 'binary', description: 'The firmware file; not empty.' }),
}).openapi('FirmwareUpload');

const FileSchema = z
  .object({ file: z.string().openapi({ format: 'binary', description: 'The firmware file.' }) })
  .openapi('FirmwareFile');

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
  responses: { 200: json(FirmwareDetailSchema, 'The firmware, and the state of its file') },
  problems: ['not-found'],
});

const repairFirmware = operation({
  id: 'repairFirmware',
  method: 'put',
  path: '/v1/firmware/{id}/file',
  tag: 'Firmware',
  summary: 'Upload the file of a firmware again: that repairs a damaged one, and paused tasks go on',
  description: 'The file must be the one that the firmware was added with.',
  permission: Permission.WRITE_FIRMWARE,
  scope: Scope.FIRMWARE,
  action: 'firmware.repair',
  request: {
    params: IdParams,
    body: { required: true, content: { 'multipart/form-data': { schema: FileSchema } } },
  },
  responses: { 200: json(FirmwareDetailSchema, 'The firmware; its file is intact') },
  problems: ['not-found', 'firmware-deleted', 'firmware-too-large', 'firmware-empty'],
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

const getFirmwareFile = operation({
  id: 'getFirmwareFile',
  method: 'get',
  path: '/v1/firmware/{id}/file',
  tag: 'Firmware',
  summary: 'Download the stored file of a firmware',
  description: 'The file as it was added; its SHA-256 is the `ETag`. Devices download by URLs of their own.',
  permission: Permission.WRITE_FIRMWARE,
  scope: Scope.FIRMWARE,
  action: 'firmware.download',
  request: { params: IdParams },
  responses: {
    200: {
      description: 'The file',
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
    },
  },
  problems: ['not-found', 'firmware-deleted', 'firmware-file-damaged'],
});

/** As a header takes it: also names in Chinese [RFC 6266]. */
function attachmentOf({ name, version }: Pick<Firmware, 'name' | 'version'>): string {
  const fileName = `${name}-${version}.bin`;
  const plain = fileName.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const encoded = encodeURIComponent(fileName).replaceAll(
    /['()*!]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

export function firmwareRoutes(deps: {
  readonly records: Records;
  readonly store: Pick<FirmwareStore, 'isIntact' | 'read'>;
  readonly intake: FirmwareIntake;
  readonly limits: FirmwareLimits;
  readonly now: () => number;
}) {
  const { records, store, intake, now } = deps;
  const { firmwareMax, ...newFirmware } = deps.limits;
  const detail = async (firmware: Firmware) => ({
    ...firmwareAnswer(firmware),
    file: firmware.deletedAtMs === null ? await store.isIntact(firmware.sha256) : null,
  });
  const router = newRouter()
    .openapi(listFirmware, async (c) => {
      const { productKey: asked, ...page } = c.req.valid('query');
      const productKey = narrowed(c, asked);
      const [found, used] = await Promise.all([
        records.listFirmware({ productKey }, page),
        records.countFirmware(narrowed(c)),
      ]);
      return c.json(
        { ...pageAnswer(found, firmwareAnswer), quota: { used, max: firmwareMax }, limits: newFirmware },
        200,
      );
    })
    .openapi(getFirmware, async (c) => {
      const { id } = c.req.valid('param');
      const firmware = await records.getFirmware(id);
      if (!firmware) throw notFound(`Firmware ${id}`);
      return c.json(await detail(firmware), 200);
    })
    .openapi(deleteFirmware, async (c) => {
      const { id } = c.req.valid('param');
      const before = await records.getFirmware(id);
      if (before) noteBefore(c, firmwareAnswer(before));
      const deleted = await records.deleteFirmware(id, now());
      await intake.release(deleted);
      return c.json(firmwareAnswer(deleted), 200);
    });

  mountUnvalidated(router, getFirmwareFile, async (c) => {
    const id = c.req.param('id') ?? '';
    const firmware = await records.getFirmware(id);
    if (!firmware) throw notFound(`Firmware ${id}`);
    if (firmware.deletedAtMs !== null) {
      throw new FerryError(
        'firmware-deleted',
        `Firmware ${firmware.name} ${firmware.version} is deleted, and its file with it.`,
      );
    }
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(firmware.sizeBytes),
      'Content-Disposition': attachmentOf(firmware),
      'Cache-Control': 'private, no-store, no-transform',
      ETag: `"${firmware.sha256}"`,
    };
    // HEAD has no reader: a file would stay open for it.
    if (c.req.method === 'HEAD') return c.body(null, 200, headers);
    const file = await store.read(firmware.sha256, { start: 0, end: firmware.sizeBytes - 1 });
    return c.body(Readable.toWeb(file) as ReadableStream<Uint8Array>, 200, headers);
  });

  mountUnvalidated(router, repairFirmware, async (c) => {
    const repaired = await intake.repair(c, c.req.param('id') ?? '');
    // The reconciler would find it too, somewhat later.
    await records.resumeTasksOf(repaired.sha256);
    return c.json(await detail(repaired), 200);
  });
  mountUnvalidated(router, addFirmware, async (c) => {
    const firmware = markReplay(c, await intake.add(c));
    c.header('Location', `/v1/firmware/${firmware.id}`);
    return c.json(firmwareAnswer(firmware), 201);
  });
  return router;
}
