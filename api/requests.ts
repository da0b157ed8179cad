import { z } from '@hono/zod-openapi';
import {
  DEFAULT_MODULE,
  deviceNameProblem,
  deviceSecretProblem,
  moduleProblem,
  productKeyProblem,
  publicKeyProblem,
  signatureProblem,
  versionProblem,
  type NameRule,
} from '../domain/names.js';
import { FailureCause } from '../domain/causes.js';
import { POLICY_BOUNDS, VERIFICATION_DEVICES_MAX } from '../domain/policy.js';
import { DeviceUpdateStatus } from '../domain/device-update.js';
import { Role } from '../domain/roles.js';
import { TaskStatus } from '../domain/update-task.js';
import type { BodyMax } from './request-body.js';
import { ProtocolSchema } from './schemas.js';
import { wholeNumber, type NumberBounds } from './whole-number.js';

/* What the API is asked: every object is strict, so that a mistyped field is named instead of ignored. */

/** Devices of one registration request. */
export const REGISTERED_DEVICES_MAX = 10_000;
/** Devices that a batch may list by name; one without a list has no such limit. */
export const LISTED_DEVICES_MAX = 100_000;
const SOURCE_VERSIONS_MAX = 100;
/** Problems named in one answer. */
export const NAMED_PROBLEMS_MAX = 100;

/** Bodies with a list of devices: every name and secret may be spelt in the longest way. */
export const REGISTRATION_BODY: BodyMax = {
  bytes: 8 * 1_024 * 1_024,
  values: 5 * REGISTERED_DEVICES_MAX,
  members: 5 * REGISTERED_DEVICES_MAX,
};
export const DEVICE_LIST_BODY: BodyMax = { bytes: 8 * 1_024 * 1_024, values: LISTED_DEVICES_MAX + 1_000, members: 200 };

/** A text under one of the domain's name rules, which answers the broken rule as a sentence; OpenAPI shows its pattern. */
const ruled = (rule: NameRule) =>
  z
    .string()
    .superRefine((text, context) => {
      const message = rule(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .openapi({ pattern: rule.pattern.source });

/** A whole number of a query; undefined: the standard one. */
const numberParameter = ({ standard, ...bounds }: NumberBounds & { readonly standard: number }) =>
  wholeNumber(bounds)
    .default(standard)
    .openapi({ type: 'integer', minimum: bounds.min, maximum: bounds.max, default: standard });

const deviceName = ruled(deviceNameProblem);
const version = ruled(versionProblem);
const moduleName = ruled(moduleProblem);
const id = z.string().min(1).max(64);

/** Names that people give, and what they say: shown as text, so without what would not show. */
const plainText = (max: number) =>
  z
    .string()
    .trim()
    .max(max)
    .regex(/^[^\p{C}]*$/u, 'must not have control or formatting characters')
    .regex(/^[^\uFFFD]*$/u, 'must not have U+FFFD, which stands for bytes that are not UTF-8; send it as UTF-8');
/** Blanks at its ends do not count. */
const plainName = (max: number) =>
  plainText(max)
    .min(1)
    .openapi({ pattern: /^[^\p{C}\uFFFD]*[^\p{C}\uFFFD\s][^\p{C}\uFFFD]*$/u.source });

/**
 * An id in a path. One that breaks the other rules of its kind is answered as not found; its length is limited, since
 * answers and the audit log repeat it.
 */
const pathId = z.string().max(64);
export const ProductParams = z.strictObject({ productKey: pathId });
export const TrustedKeyParams = z.strictObject({ productKey: pathId, keyId: pathId });
export const DeviceParams = z.strictObject({ productKey: pathId, deviceName: pathId });
export const IdParams = z.strictObject({ id: pathId });
export const TaskDeviceParams = z.strictObject({ id: pathId, deviceName: pathId });

export const PageQuery = z.strictObject({
  limit: numberParameter({ min: 1, max: 500, standard: 50 }),
  cursor: z.string().min(1).max(1_000).optional().openapi({ description: '`nextCursor` of the page before.' }),
});

export const DevicesQuery = PageQuery.extend({
  version: version.optional(),
  module: moduleName.optional().openapi({ description: 'The module that `version` is about; else `default`.' }),
  online: z
    .stringbool({ truthy: ['true'], falsy: ['false'], error: 'must be true or false' })
    .optional()
    .openapi({
      type: 'boolean',
    }),
  search: z.string().min(1).max(64).optional().openapi({ description: 'Part of the device name.' }),
});
export const FirmwareQuery = PageQuery.extend({ productKey: z.string().optional() });
export const TasksQuery = PageQuery.extend({
  firmwareId: id.optional(),
  productKey: z.string().optional(),
  kind: z.enum(['verification', 'batch']).optional(),
  status: z.enum(TaskStatus).optional(),
});
export const VersionsQuery = PageQuery.extend({
  module: moduleName.default(DEFAULT_MODULE),
  // Most fleets have fewer versions: all of them are in one answer.
  limit: PageQuery.shape.limit
    .unwrap()
    .default(500)
    .openapi({ type: 'integer', minimum: 1, maximum: 500, default: 500 }),
});
export const TimelineQuery = z.strictObject({
  points: numberParameter({ min: 1, max: 500, standard: 60 }).openapi({ description: 'Spans of time at most.' }),
  minutes: wholeNumber({ min: 1, max: 1_440 })
    .optional()
    .openapi({ type: 'integer', minimum: 1, maximum: 1_440, description: 'Only the latest minutes of its time.' }),
});
const deviceUpdateFilter = {
  status: z.enum(DeviceUpdateStatus).optional(),
  outcome: z.enum(['succeeded', 'failed']).optional(),
  cause: z.enum(FailureCause).optional(),
  search: z.string().min(1).max(64).optional().openapi({ description: 'Part of the device name.' }),
};
export const DeviceUpdatesQuery = PageQuery.extend(deviceUpdateFilter);
export const DeviceUpdatesCsvQuery = z.strictObject(deviceUpdateFilter);

export const CreateProduct = z
  .strictObject({
    productKey: ruled(productKeyProblem).optional().openapi({ description: 'Generated if absent.' }),
    name: plainName(64),
  })
  .openapi('CreateProduct');

export const ChangeProduct = z.strictObject({ name: plainName(64) }).openapi('ChangeProduct');

export const BatchRules = z
  .strictObject({
    verificationSuccessesMin: z.int().min(0).max(VERIFICATION_DEVICES_MAX).openapi({
      description: 'So many different devices must have succeeded in verifications of a firmware; 0: none needs to.',
    }),
  })
  .openapi('BatchRules');

export const RenameDevice = z.strictObject({ deviceName }).openapi('RenameDevice');

export const NewDeviceSchema = z
  .strictObject({
    deviceName,
    deviceSecret: ruled(deviceSecretProblem).optional().openapi({ description: 'Generated if absent.' }),
    protocol: ProtocolSchema.default('mqtt'),
  })
  .openapi('NewDevice');

const NewDevicesSchema = z
  .strictObject({ devices: z.array(NewDeviceSchema).min(1).max(REGISTERED_DEVICES_MAX) })
  .openapi('NewDevices');

/** One device, or many: told apart by `devices`, so that an error names the fields of the form that was meant. */
export const RegisterDevices = z.union([NewDeviceSchema, NewDevicesSchema]);
/** The list alone: its devices are checked one by one, so that others have their turn in between. */
export const DeviceListSchema = z.strictObject({ devices: z.array(z.unknown()).min(1).max(REGISTERED_DEVICES_MAX) });

const bounded = ({ min, max }: { readonly min: number; readonly max: number }) => z.int().min(min).max(max).optional();
export const PolicyRequest = z
  .strictObject({
    offlineTimeoutMs: bounded(POLICY_BOUNDS.offlineTimeoutMs),
    responseTimeoutMs: bounded(POLICY_BOUNDS.responseTimeoutMs),
    notificationsMax: bounded(POLICY_BOUNDS.notificationsMax),
    stallTimeoutMs: bounded(POLICY_BOUNDS.stallTimeoutMs),
    confirmationTimeoutMs: bounded(POLICY_BOUNDS.confirmationTimeoutMs),
    offlineMidUpdateMs: bounded(POLICY_BOUNDS.offlineMidUpdateMs).openapi({
      description: 'How long a device that leaves in mid-update is waited for, within the overall time; 0: not at all.',
    }),
    overallTimeoutMs: bounded(POLICY_BOUNDS.overallTimeoutMs),
    soakMs: bounded(POLICY_BOUNDS.soakMs),
    reconnectGraceMs: bounded(POLICY_BOUNDS.reconnectGraceMs),
    allowDowngrade: z.boolean().optional(),
  })
  .openapi('PolicyRequest', { description: 'What differs from the defaults of the kind of task.' });

/** One check of a long list: an issue for each of 100,000 wrong names would take seconds. */
const deviceNameList = z
  .custom<string[]>()
  .superRefine((names: unknown, context) => {
    const add = (message: string, path: (string | number)[] = []) =>
      context.addIssue({ code: 'custom', path, message });
    if (!Array.isArray(names)) return add('must be a list of device names');
    if (names.length < 1 || names.length > LISTED_DEVICES_MAX) return add(`must have 1 to ${LISTED_DEVICES_MAX} names`);
    let found = 0;
    for (const [i, name] of names.entries()) {
      const message = typeof name === 'string' ? deviceNameProblem(name) : 'must be a string';
      if (message !== undefined) add(message, [i]);
      if (message !== undefined && ++found === NAMED_PROBLEMS_MAX) return;
    }
  })
  .openapi({
    type: 'array',
    items: { type: 'string', pattern: deviceNameProblem.pattern.source },
    minItems: 1,
    maxItems: LISTED_DEVICES_MAX,
  });

export const CreateVerification = z
  .strictObject({
    deviceNames: z.array(deviceName).min(1).max(VERIFICATION_DEVICES_MAX),
    policy: PolicyRequest.optional(),
  })
  .openapi('CreateVerification');

export const CreateBatchUpdate = z
  .strictObject({
    sourceVersions: z.array(version).min(1).max(SOURCE_VERSIONS_MAX),
    deviceNames: deviceNameList
      .optional()
      .openapi({ description: 'Else all devices of the product that run one of the source versions.' }),
    policy: PolicyRequest.optional(),
  })
  .openapi('CreateBatchUpdate');

export const Reinitiate = z
  .strictObject({
    deviceNames: deviceNameList.optional().openapi({ description: 'Else all failed devices of the task.' }),
  })
  .openapi('Reinitiate');

/** The fields of a firmware upload, beside its `file`. The name has a rule and a code of its own. */
export const FirmwareFields = z.strictObject({
  name: z
    .string()
    .openapi({ minLength: 1, description: 'Chinese characters, English letters, digits and underscores.' }),
  productKey: ruled(productKeyProblem),
  version,
  module: moduleName.default('default'),
  signMethod: z.enum(['MD5', 'SHA256']).default('SHA256'),
  signature: ruled(signatureProblem)
    .optional()
    .openapi({ description: 'Detached Ed25519 signature in base64; needed where the product has trusted keys.' }),
});

export const CreateToken = z
  .strictObject({
    name: plainName(64).openapi({ description: 'Of the person or program: what the audit log says.' }),
    role: z.enum(Role),
    productKey: z.string().optional().openapi({ description: 'The only product that it is good for; else all.' }),
    expiresAt: z.iso.datetime({ error: 'must be a time such as 2030-01-31T12:00:00Z' }).optional(),
  })
  .openapi('CreateToken');

const auditFilter = {
  actor: z.string().min(1).max(64).optional(),
  action: z.string().min(1).max(64).optional(),
  target: z.string().min(1).max(200).optional(),
  productKey: z.string().optional(),
};
export const AuditQuery = PageQuery.extend(auditFilter);
export const AuditChainQuery = z.strictObject({
  before: z.iso.datetime({ offset: true }).openapi({ description: 'Only entries that are older than this time.' }),
});
export const ArchiveAudit = z
  .strictObject({
    id: z.int().min(1).openapi({ description: 'Of the last entry of the archive.' }),
    hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be the hash of that entry')
      .openapi({ description: 'Of the same entry.' }),
  })
  .openapi('ArchiveAudit');
export const AuditCsvQuery = z.strictObject(auditFilter);

export const Decide = z
  .strictObject({ remark: plainText(500).optional().openapi({ description: 'Why.' }) })
  .openapi('Decide');

export const RotateSecret = z
  .strictObject({
    deviceSecret: ruled(deviceSecretProblem).optional().openapi({ description: 'Generated if absent.' }),
  })
  .openapi('RotateSecret');

export const TRUSTED_KEYS_MAX = 8;
export const TrustKey = z.strictObject({ publicKey: ruled(publicKeyProblem) }).openapi('TrustKey');

export const TrustKeys = z
  .strictObject({ publicKeys: z.array(ruled(publicKeyProblem)).max(TRUSTED_KEYS_MAX) })
  .openapi('TrustKeys', { description: 'All of them: those that are not named are trusted no more.' });

/** What a browser signs in with: the token, or the secret of a link that signs in once. */
export const SignIn = z
  .strictObject({ token: z.string().min(1).max(1_000).optional(), link: z.string().min(1).max(1_000).optional() })
  .openapi('SignIn');

export type CreateTokenRequest = z.input<typeof CreateToken>;
export type DecideRequest = z.input<typeof Decide>;
export type SignInRequest = z.input<typeof SignIn>;
export type CreateProductRequest = z.input<typeof CreateProduct>;
export type BatchRulesRequest = z.input<typeof BatchRules>;
export type NewDeviceRequest = z.input<typeof NewDeviceSchema>;
export type PolicyRequestBody = z.input<typeof PolicyRequest>;
export type CreateVerificationRequest = z.input<typeof CreateVerification>;
export type CreateBatchUpdateRequest = z.input<typeof CreateBatchUpdate>;
export type ReinitiateRequest = z.input<typeof Reinitiate>;
export type FirmwareFieldsRequest = z.input<typeof FirmwareFields>;
export interface PageParams {
  limit?: number;
  cursor?: string;
}
