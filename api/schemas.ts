import { z } from '@hono/zod-openapi';
import { ErrorCode } from '../domain/errors.js';
import { FailureCause } from '../domain/causes.js';
import { DeviceUpdateStatus } from '../domain/device-update.js';
import { Role } from '../domain/roles.js';
import { SIGN_IN_REFUSALS, type SignInRefusal } from '../domain/sign-in-refusals.js';
import { TaskStatus } from '../domain/update-task.js';

/*
 * What the API answers, as schemas: OpenAPI shows them, the routes are type-checked against them, and the client's types
 * are inferred from them. Times are ISO 8601 in UTC.
 */

/** Of a schema with a name of its own: `nullable()` would say that it is an object and null at once. */
const orNull = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()]);

const time = z.iso.datetime();
const count = z.int().min(0);

/** A page of a list, newest or first by name first; `nextCursor` is null on the last one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

export const FieldProblemSchema = z.object({
  field: z.string().openapi({ description: 'A dotted path, a query parameter or a header.' }),
  message: z.string(),
});

export const ConflictSchema = z
  .object({
    taskId: z.string(),
    firmware: z.object({ id: z.string(), name: z.string(), version: z.string() }),
    sourceVersions: z.array(z.string()),
  })
  .openapi('Conflict');

/** RFC 9457. */
export const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(ErrorCode),
    detail: z.string(),
    requestId: z.string().optional().openapi({ description: 'Of an `internal` problem: the log names it too.' }),
    errors: z.array(FieldProblemSchema).optional().openapi({ description: 'The fields that break a rule.' }),
    conflicts: z
      .array(ConflictSchema)
      .optional()
      .openapi({ description: 'Of an `update-task-conflict`: the batches that hold the source versions.' }),
    deviceNames: z.array(z.string()).optional().openapi({ description: 'Of `device-exists`.' }),
    devices: z
      .array(z.object({ deviceName: z.string(), problem: z.string() }))
      .optional()
      .openapi({ description: 'Of `devices-invalid`.' }),
  })
  .openapi('Problem');

export const TrustedKeySchema = z
  .object({ keyId: z.string(), publicKey: z.string().openapi({ description: 'Ed25519, 32 bytes in base64.' }) })
  .openapi('TrustedKey');

export const ProductSchema = z
  .object({
    productKey: z.string(),
    name: z.string(),
    trustedKeys: z
      .array(TrustedKeySchema)
      .openapi({ description: 'Firmware must be signed by one of these; none: unsigned firmware is taken.' }),
    trustUndecided: z.boolean().openapi({
      description:
        'The records were rebuilt, which does not tell the trusted keys: no firmware is taken until they are set, to none for any firmware.',
    }),
    verificationSuccessesMin: count.openapi({
      description:
        'A batch needs that so many devices have succeeded in verifications of its firmware; 0: none needs to.',
    }),
    createdAt: time,
  })
  .openapi('Product');

export const ProtocolSchema = z.enum(['mqtt', 'http', 'coap']);

export const WorkflowSchema = z
  .object({
    id: z.string(),
    runId: z.string().nullable(),
    url: z.string().nullable().openapi({ description: 'The run in the Temporal UI, if there is one.' }),
  })
  .openapi('Workflow');

export const WaitingForSchema = z
  .object({
    what: z.enum([
      ...(['its-turn', 'firmware-file', 'task', 'online', 'query', 'response', 'progress'] as const),
      ...(['return', 'confirmation', 'soak'] as const),
    ]),
    since: time,
    until: time.nullable(),
    then: z.string().openapi({ description: 'What happens then.' }),
    text: z.string().openapi({ description: 'All of it as a sentence, the same everywhere; times are UTC.' }),
  })
  .openapi('WaitingFor');

export const DeviceUpdateSchema = z
  .object({
    taskId: z.string(),
    productKey: z.string(),
    deviceName: z.string(),
    protocol: ProtocolSchema,
    status: z.enum(DeviceUpdateStatus),
    outcome: z.enum(['succeeded', 'failed']).nullable(),
    step: z.int().nullable().openapi({ description: 'Highest percentage reported.' }),
    cause: z.enum(FailureCause).nullable(),
    detail: z.string().nullable(),
    attempt: z.int(),
    notifications: count,
    waitingFor: orNull(WaitingForSchema),
    createdAt: time,
    notifiedAt: time.nullable(),
    startedAt: time.nullable().openapi({ description: 'Its first progress report.' }),
    lastProgressAt: time.nullable(),
    endedAt: time.nullable(),
    cancelRequestedAt: time.nullable(),
    workflow: WorkflowSchema,
  })
  .openapi('DeviceUpdate');

export const DeviceSchema = z
  .object({
    productKey: z.string(),
    deviceName: z.string(),
    protocol: ProtocolSchema,
    version: z.string().nullable().openapi({ description: 'Of the module `default`.' }),
    modules: z
      .array(z.object({ module: z.string(), version: z.string(), reportedAt: time }))
      .openapi({ description: 'What it runs, and since when it reports that.' }),
    online: z.boolean(),
    lastSeenAt: time.nullable(),
    revokedAt: time.nullable().openapi({ description: 'Since then it may not sign in.' }),
    lastRefusedSignIn: z
      .object({
        at: time,
        reason: z.enum(Object.keys(SIGN_IN_REFUSALS) as [SignInRefusal, ...SignInRefusal[]]),
        address: z.string().openapi({ description: 'Where it came from.' }),
      })
      .nullable()
      .openapi({ description: 'The latest sign-in in its name that was refused, and why; the client is never told.' }),
    nameClash: z
      .object({ at: time, addresses: z.array(z.string()) })
      .nullable()
      .openapi({
        description: 'When two units that use this name last took the connection from each other, and from where.',
      }),
    createdAt: time,
    currentUpdate: orNull(DeviceUpdateSchema),
  })
  .openapi('Device');

/** A device update as its device's history tells it: with what its task is about. */
export const DeviceHistoryEntrySchema = DeviceUpdateSchema.extend({
  kind: z.enum(['verification', 'batch']),
  firmware: z.object({ id: z.string(), name: z.string(), module: z.string(), version: z.string() }),
  sourceVersions: z.array(z.string()).openapi({ description: 'The versions that its batch updates.' }),
  startedBy: z.string().nullable().openapi({ description: 'Who created its task.' }),
  cancelledBy: z.string().nullable().openapi({
    description: 'Who cancelled it, or ended or rejected its task; null if nobody did, or if it is unknown.',
  }),
}).openapi('DeviceHistoryEntry');

export const DeviceDetailSchema = DeviceSchema.extend({
  currentUpdate: orNull(DeviceHistoryEntrySchema),
  history: pageOf(DeviceHistoryEntrySchema).openapi({ description: 'Newest first; more at `…/updates`.' }),
}).openapi('DeviceDetail');

export const RegisteredDeviceSchema = z
  .object({ deviceName: z.string(), deviceSecret: z.string(), protocol: ProtocolSchema })
  .openapi('RegisteredDevice');

export const RegisteredDevicesSchema = z
  .object({
    devices: z.array(RegisteredDeviceSchema),
  })
  .openapi('RegisteredDevices', { description: 'The only answer that ever shows the secrets.' });

const LastVerificationSchema = z
  .object({
    taskId: z.string(),
    status: z.enum(TaskStatus),
    succeeded: count,
    failed: count,
    cancelled: count,
    total: count,
    endedAt: time,
  })
  .openapi('LastVerification', {
    description: 'The newest completed verification. It makes a firmware verified, whatever came out of it.',
  });

export const FirmwareSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    productKey: z.string(),
    module: z.string(),
    version: z.string(),
    status: z.enum(['unverified', 'verifying', 'verified']),
    sizeBytes: z.int(),
    signMethod: z.enum(['MD5', 'SHA256']),
    sign: z.string(),
    sha256: z.string(),
    signature: z
      .object({ keyId: z.string(), value: z.string() })
      .nullable()
      .openapi({ description: 'Detached Ed25519 signature in base64, and the key that made it.' }),
    openTasks: count.openapi({ description: 'Open tasks that use it.' }),
    lastVerification: LastVerificationSchema.nullable(),
    verificationSuccesses: count.openapi({
      description: 'Different devices that have succeeded in verifications of it.',
    }),
    createdAt: time,
    verifiedAt: time.nullable(),
    deletedAt: time.nullable(),
  })
  .openapi('Firmware');

export const FirmwareDetailSchema = FirmwareSchema.extend({
  file: z.enum(['intact', 'corrupt', 'missing']).nullable().openapi({
    description:
      'The stored file, compared with its digest. A file that is not intact is not served; `PUT /v1/firmware/{id}/file` repairs it. Null for a deleted firmware.',
  }),
}).openapi('FirmwareDetail');

export const FirmwarePageSchema = pageOf(FirmwareSchema)
  .extend({
    quota: z.object({ used: count, max: count }).openapi({
      description:
        'Deleted firmware is counted. `max` holds for all products together; a token of one product sees what that one uses.',
    }),
    limits: z
      .object({ nameCharactersMax: count, fileBytesMax: count })
      .openapi({ description: 'What a new firmware must keep.' }),
  })
  .openapi('FirmwarePage');

export const PolicySchema = z
  .object({
    offlineTimeoutMs: z.int(),
    responseTimeoutMs: z.int(),
    notificationsMax: z.int(),
    stallTimeoutMs: z.int(),
    confirmationTimeoutMs: z.int(),
    offlineMidUpdateMs: z.int(),
    overallTimeoutMs: z.int(),
    soakMs: z.int(),
    reconnectGraceMs: z.int(),
    allowDowngrade: z.boolean(),
  })
  .openapi('Policy');

export const CountsSchema = z
  .object({
    pending: count,
    notified: count,
    upgrading: count,
    succeeded: count,
    failed: count,
    cancelled: count,
    total: count,
  })
  .openapi('Counts');

export const TaskSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['verification', 'batch']),
    status: z.enum(TaskStatus),
    firmware: z.object({
      id: z.string(),
      name: z.string(),
      productKey: z.string(),
      module: z.string(),
      version: z.string(),
    }),
    sourceVersions: z.array(z.string()),
    policy: PolicySchema,
    counts: CountsSchema,
    reinitiates: z.string().nullable().openapi({ description: 'The task whose failed devices it re-initiates.' }),
    startedBy: z.string().nullable().openapi({ description: 'Who created it; null in tasks of older releases.' }),
    waitingFor: z.literal('workflow engine').nullable().openapi({
      description: 'A task that is accepted and recorded, and begins as soon as the workflow engine has it.',
    }),
    pausedCause: z
      .enum(['firmware-file-damaged'])
      .nullable()
      .openapi({ description: 'Why nothing new goes out at present.' }),
    pausedAt: time.nullable(),
    needsApproval: z.boolean().openapi({ description: 'A second operator must approve it before anything is sent.' }),
    approval: z
      .object({ decision: z.enum(['approved', 'rejected']), by: z.string(), remark: z.string(), at: time })
      .nullable(),
    workflow: WorkflowSchema,
    createdAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    cancelRequestedAt: time.nullable(),
    endRequestedAt: time.nullable(),
  })
  .openapi('Task');

export const TaskDetailSchema = TaskSchema.extend({
  failuresByCause: z.partialRecord(z.enum(FailureCause), count),
}).openapi('TaskDetail');

export const DoctorReportSchema = z
  .object({
    examined: z.object({ openTasks: count, openDeviceUpdates: count, openRuns: count, files: count }),
    differences: z.array(
      z.object({
        kind: z.string(),
        subject: z.string(),
        sentence: z.string(),
        remedy: z.string(),
        fixable: z.boolean(),
        fixed: z.boolean(),
      }),
    ),
  })
  .openapi('DoctorReport');
export const ForgettingSchema = z
  .object({
    endedBefore: time.openapi({ description: 'Tasks that ended earlier are deleted.' }),
    tasks: count,
    deviceUpdates: count,
  })
  .openapi('Forgetting');
export const TimelineSchema = z
  .object({
    from: time.openapi({ description: 'Begin of the first span.' }),
    spanMs: z.int(),
    points: z
      .array(z.object({ at: time, succeeded: count, failed: count, cancelled: count }))
      .openapi({ description: 'Device updates that ended in each span, in order; every span is there.' }),
    online: count.openapi({
      description: 'Device updates that have not ended and whose device is online; estimated for more than 10,000.',
    }),
  })
  .openapi('Timeline');

export const VersionsSchema = z
  .object({
    items: z.array(
      z.object({
        version: z.string().nullable().openapi({ description: 'Null: these devices have not reported one.' }),
        devices: count,
        claimedBy: orNull(ConflictSchema).openapi({ description: 'The open batch that updates this version.' }),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('Versions');

export const BatchPreviewSchema = z
  .object({
    devices: count,
    online: count,
    offline: count.openapi({ description: 'MQTT devices that are not connected: notified when they come online.' }),
    transient: count.openapi({ description: 'HTTP and CoAP devices: they get their update when they ask for it.' }),
    busy: count.openapi({ description: 'Of all of them: not finished with another update, so they would fail.' }),
    versions: z.array(z.object({ version: z.string(), devices: count })),
    conflicts: z.array(ConflictSchema),
    unorderedVersions: z.array(z.string()).openapi({
      description:
        'Source versions of another scheme than the firmware’s: whether it is a downgrade for them is not known.',
    }),
    refusal: orNull(ProblemSchema).openapi({ description: 'Why it would be refused, apart from conflicts.' }),
  })
  .openapi('BatchPreview');

const causeCounts = z.array(z.object({ cause: z.enum(FailureCause), count }));

export const OverviewSchema = z
  .object({
    devices: z.object({ total: count, online: count, offline: count }),
    products: z
      .array(
        ProductSchema.extend({
          devices: z.object({ total: count, online: count, offline: count }),
          versions: z.array(z.object({ version: z.string().nullable(), devices: count })),
        }),
      )
      .openapi({ description: 'The newest ones, each with what runs on its devices (module `default`).' }),
    openTasks: z.array(TaskSchema).openapi({ description: 'Tasks that have not ended, newest first.' }),
    attention: z
      .object({
        tasksToApprove: z.array(TaskSchema).openapi({ description: 'Batches that wait for a second operator.' }),
        tasksPaused: z
          .array(TaskSchema)
          .openapi({ description: 'Tasks that send nothing until somebody repairs the firmware file.' }),
        tasksToReinitiate: z.array(TaskSchema),
        firmwareToValidate: z.array(FirmwareSchema),
      })
      .openapi({
        description:
          'What waits for the one who asks: only what their role may do, and nobody approves their own batch.',
      }),
    failures: z.object({ since: time, byCause: causeCounts, latest: z.array(DeviceUpdateSchema) }),
  })
  .openapi('Overview');

export const SessionSchema = z
  .object({
    name: z.string(),
    role: z.enum(Role),
    productKey: z.string().nullable().openapi({ description: 'The only product that the token is good for.' }),
    permissions: z.array(z.string()),
    expiresAt: time.nullable().openapi({ description: 'Null for a token, which has no session.' }),
  })
  .openapi('Session');

export const ConnectionInfoSchema = z
  .object({
    mqtt: z.object({
      host: z.string().nullable().openapi({
        description:
          'The host of FERRY_PUBLIC_URL, else FERRY_HOST. Null when the service listens at every address: any name of its machine will do.',
      }),
      port: z.int().nullable().openapi({ description: 'Without TLS; null: not offered.' }),
      tlsPort: z.int().nullable().openapi({ description: 'With TLS; null: not offered.' }),
      clientCertificates: z.boolean().openapi({ description: 'By TLS, a device must show a certificate.' }),
    }),
  })
  .openapi('ConnectionInfo', { description: 'Where devices connect.' });

export const TokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(Role),
    productKey: z.string().nullable().openapi({ description: 'The only product that it is good for; null: all.' }),
    createdBy: z.string(),
    createdAt: time,
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable().openapi({ description: 'Within a minute.' }),
    revokedAt: time.nullable(),
  })
  .openapi('Token');

export const NewTokenSchema = TokenSchema.extend({ token: z.string() }).openapi('NewToken', {
  description: 'The only answer that ever shows the token.',
});

export const AuditEntrySchema = z
  .object({
    id: z.int(),
    at: time,
    actor: z.string(),
    action: z.string(),
    target: z.string().nullable(),
    productKey: z.string().nullable(),
    address: z.string().nullable(),
    outcome: z.string().openapi({ description: '`done`, or the code of the refusal.' }),
    before: z.unknown(),
    after: z.unknown(),
    previousHash: z.string(),
    hash: z.string(),
  })
  .openapi('AuditEntry');

export const AuditVerificationSchema = z
  .object({
    entries: count.openapi({ description: 'Entries that are as they were written.' }),
    lastHash: z.string(),
    fault: z.object({ id: z.int(), problem: z.string() }).nullable(),
    archived: z
      .object({ id: z.int(), hash: z.string(), archivedAt: time })
      .nullable()
      .openapi({ description: 'The last entry of what was archived: the log begins after it.' }),
  })
  .openapi('AuditVerification');

export const AuditArchivedSchema = z
  .object({ id: z.int(), archivedAt: time, deleted: count.openapi({ description: 'Entries that are deleted now.' }) })
  .openapi('AuditArchived');

export const ReadinessSchema = z
  .object({
    status: z.enum(['ready', 'not-ready']),
    parts: z.record(z.string(), z.enum(['up', 'down'])),
  })
  .openapi('Readiness');

export type TokenAnswer = z.infer<typeof TokenSchema>;
export type NewTokenAnswer = z.infer<typeof NewTokenSchema>;
export type AuditEntryAnswer = z.infer<typeof AuditEntrySchema>;
export type AuditArchivedAnswer = z.infer<typeof AuditArchivedSchema>;
export type AuditVerificationAnswer = z.infer<typeof AuditVerificationSchema>;
export type Problem = z.infer<typeof ProblemSchema>;
export type ProductAnswer = z.infer<typeof ProductSchema>;
export type DeviceAnswer = z.infer<typeof DeviceSchema>;
export type DeviceDetailAnswer = z.infer<typeof DeviceDetailSchema>;
export type RegisteredDevicesAnswer = z.infer<typeof RegisteredDevicesSchema>;
export type RegisteredDeviceAnswer = z.infer<typeof RegisteredDeviceSchema>;
export type FirmwareAnswer = z.infer<typeof FirmwareSchema>;
export type FirmwarePageAnswer = z.infer<typeof FirmwarePageSchema>;
export type TaskAnswer = z.infer<typeof TaskSchema>;
export type TaskDetailAnswer = z.infer<typeof TaskDetailSchema>;
export type DeviceHistoryEntryAnswer = z.infer<typeof DeviceHistoryEntrySchema>;
export type FirmwareDetailAnswer = z.infer<typeof FirmwareDetailSchema>;
export type ConnectionInfoAnswer = z.infer<typeof ConnectionInfoSchema>;
export type DeviceUpdateAnswer = z.infer<typeof DeviceUpdateSchema>;
export type DoctorAnswer = z.infer<typeof DoctorReportSchema>;
export type ForgettingAnswer = z.infer<typeof ForgettingSchema>;
export type ConflictAnswer = z.infer<typeof ConflictSchema>;
export type TimelineAnswer = z.infer<typeof TimelineSchema>;
export type VersionsAnswer = z.infer<typeof VersionsSchema>;
export type BatchPreviewAnswer = z.infer<typeof BatchPreviewSchema>;
export type OverviewAnswer = z.infer<typeof OverviewSchema>;
export type SessionAnswer = z.infer<typeof SessionSchema>;
export type ReadinessAnswer = z.infer<typeof ReadinessSchema>;
/** A page of a list, as the API answers it. */
export interface PageAnswer<T> {
  items: T[];
  nextCursor: string | null;
}
