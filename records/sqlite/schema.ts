import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { FailureCause } from '../../domain/causes.js';
import type { DeviceProtocol, DeviceUpdateStatus, Outcome } from '../../domain/device-update.js';
import type { TaskKind } from '../../domain/ids.js';
import type { StoredPolicy } from '../../domain/policy.js';
import type { Role } from '../../domain/roles.js';
import type { Approval, PauseCause, TaskStatus } from '../../domain/update-task.js';
import type {
  DigestMethod,
  NameClash,
  RefusedSignIn,
  ReportedFailure,
  TrustedKey,
  VerificationResult,
} from '../records.js';

/*
 * Closed sets are stored as their words, times as epoch milliseconds. Rows that operators watch carry the number of
 * their last change (docs/decisions.md, 11).
 */

export const products = sqliteTable('products', {
  productKey: text('product_key').primaryKey(),
  name: text('name').notNull(),
  /** Public keys that firmware must be signed by; none: unsigned firmware is taken. */
  trustedKeys: text('trusted_keys', { mode: 'json' }).$type<readonly TrustedKey[]>().notNull().default([]),
  /** A batch needs that so many devices have succeeded in verifications of its firmware; 0: none needs to. */
  verificationSuccessesMin: integer('verification_successes_min').notNull().default(0),
  /** A rebuild has made the row: which keys it trusted is not known, and no firmware is taken until somebody decides. */
  trustUndecided: integer('trust_undecided', { mode: 'boolean' }).notNull().default(false),
  createdAtMs: integer('created_at_ms').notNull(),
  /** It is out of service; its key stays taken, since records name it. */
  deletedAtMs: integer('deleted_at_ms'),
});

export const devices = sqliteTable(
  'devices',
  {
    productKey: text('product_key')
      .notNull()
      .references(() => products.productKey),
    deviceName: text('device_name').notNull(),
    /** Sealed (records/sealing.ts); in plain in rows of older releases until the next start. */
    deviceSecret: text('device_secret').notNull(),
    /** It may not sign in any more. */
    revokedAtMs: integer('revoked_at_ms'),
    protocol: text('protocol').$type<DeviceProtocol>().notNull(),
    online: integer('online', { mode: 'boolean' }).notNull().default(false),
    /** Of the latest connection: the end of an older one doesn't count. */
    connectionId: text('connection_id'),
    lastSeenAtMs: integer('last_seen_at_ms'),
    createdAtMs: integer('created_at_ms').notNull(),
    /** Id of the registration that a repeated request answers. */
    registration: text('registration'),
    /** The latest sign-in in its name that was refused. */
    refusedSignIn: text('refused_sign_in', { mode: 'json' }).$type<RefusedSignIn>(),
    /** When two units last took its connection from each other. */
    nameClash: text('name_clash', { mode: 'json' }).$type<NameClash>(),
  },
  (t) => [
    primaryKey({ columns: [t.productKey, t.deviceName] }),
    index('devices_by_online').on(t.productKey, t.online, t.deviceName),
    index('devices_online')
      .on(t.online)
      .where(sql`online = 1`),
    index('devices_by_registration')
      .on(t.registration)
      .where(sql`registration IS NOT NULL`),
  ],
);

export const deviceVersions = sqliteTable(
  'device_versions',
  {
    productKey: text('product_key').notNull(),
    deviceName: text('device_name').notNull(),
    module: text('module').notNull(),
    version: text('version').notNull(),
    reportedAtMs: integer('reported_at_ms').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.productKey, t.deviceName, t.module] }),
    index('device_versions_by_version').on(t.productKey, t.module, t.version, t.deviceName),
  ],
);

export const firmware = sqliteTable(
  'firmware',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    productKey: text('product_key')
      .notNull()
      .references(() => products.productKey),
    module: text('module').notNull(),
    version: text('version').notNull(),
    sizeBytes: integer('size_bytes').notNull(),
    signMethod: text('sign_method').$type<DigestMethod>().notNull(),
    sign: text('sign').notNull(),
    sha256: text('sha256').notNull(),
    /** Detached Ed25519 signature in base64, and the key that it was checked with. */
    signature: text('signature'),
    signatureKeyId: text('signature_key_id'),
    createdAtMs: integer('created_at_ms').notNull(),
    verifiedAtMs: integer('verified_at_ms'),
    /** The newest completed verification, as it stood at its end: the task itself may be forgotten. */
    lastVerification: text('last_verification', { mode: 'json' }).$type<VerificationResult>(),
    /** Different devices that have succeeded in verifications of it. */
    verificationSuccesses: integer('verification_successes').notNull().default(0),
    deletedAtMs: integer('deleted_at_ms'),
  },
  (t) => [
    // A deleted firmware gives its version free; it still counts for the quota [seed: add].
    uniqueIndex('firmware_version')
      .on(t.productKey, t.module, t.version)
      .where(sql`deleted_at_ms IS NULL`),
    index('firmware_by_age').on(t.createdAtMs, t.id),
    index('firmware_by_file').on(t.sha256),
  ],
);

export const tasks = sqliteTable(
  'tasks',
  {
    id: text('id').primaryKey(),
    kind: text('kind').$type<TaskKind>().notNull(),
    status: text('status').$type<TaskStatus>().notNull().default('pending'),
    firmwareId: text('firmware_id')
      .notNull()
      .references(() => firmware.id),
    productKey: text('product_key').notNull(),
    sourceVersions: text('source_versions', { mode: 'json' }).$type<readonly string[]>().notNull(),
    policy: text('policy', { mode: 'json' }).$type<StoredPolicy>().notNull(),
    reinitiates: text('reinitiates'),
    /** Name of the principal; null in tasks of older releases. */
    startedBy: text('started_by'),
    runId: text('run_id'),
    createdAtMs: integer('created_at_ms').notNull(),
    startedAtMs: integer('started_at_ms'),
    endedAtMs: integer('ended_at_ms'),
    /** Since then it is being forgotten: nobody sees it, and its rows go piece by piece (retention.ts). */
    forgottenAtMs: integer('forgotten_at_ms'),
    cancelRequestedAtMs: integer('cancel_requested_at_ms'),
    endRequestedAtMs: integer('end_requested_at_ms'),
    startDelivered: integer('start_delivered', { mode: 'boolean' }).notNull().default(false),
    cancelDelivered: integer('cancel_delivered', { mode: 'boolean' }).notNull().default(false),
    endDelivered: integer('end_delivered', { mode: 'boolean' }).notNull().default(false),
    /** Why nothing new goes out at present. */
    pausedCause: text('paused_cause').$type<PauseCause>(),
    pausedAtMs: integer('paused_at_ms'),
    /** It is so large that a second operator must approve it. */
    needsApproval: integer('needs_approval', { mode: 'boolean' }).notNull().default(false),
    approval: text('approval', { mode: 'json' }).$type<Approval>(),
    approvalDelivered: integer('approval_delivered', { mode: 'boolean' }).notNull().default(false),
    // Device updates by where they stand, moved by each change in its own transaction.
    pending: integer('pending').notNull().default(0),
    notified: integer('notified').notNull().default(0),
    upgrading: integer('upgrading').notNull().default(0),
    succeeded: integer('succeeded').notNull().default(0),
    failed: integer('failed').notNull().default(0),
    cancelled: integer('cancelled').notNull().default(0),
    total: integer('total').notNull().default(0),
    change: integer('change').notNull(),
  },
  (t) => [
    index('tasks_by_age').on(t.createdAtMs, t.id),
    index('tasks_by_firmware').on(t.firmwareId, t.createdAtMs, t.id),
    index('tasks_by_product').on(t.productKey, t.createdAtMs, t.id),
    index('tasks_by_status').on(t.status, t.createdAtMs, t.id),
    index('tasks_by_change').on(t.change),
    index('tasks_by_reinitiated')
      .on(t.reinitiates)
      .where(sql`reinitiates IS NOT NULL`),
    index('tasks_open')
      .on(t.createdAtMs)
      .where(sql`ended_at_ms IS NULL`),
    index('tasks_open_of_firmware')
      .on(t.firmwareId, t.kind)
      .where(sql`ended_at_ms IS NULL`),
    index('tasks_by_end')
      .on(t.endedAtMs)
      .where(sql`ended_at_ms IS NOT NULL`),
    index('tasks_left_open')
      .on(t.endedAtMs)
      .where(sql`ended_at_ms IS NOT NULL AND pending + notified + upgrading > 0`),
    index('tasks_forgotten')
      .on(t.forgottenAtMs)
      .where(sql`forgotten_at_ms IS NOT NULL`),
  ],
);

/** The source versions that a batch updates; no two open ones for the same version [seed: conflict]. */
export const claims = sqliteTable(
  'claims',
  {
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id),
    productKey: text('product_key').notNull(),
    module: text('module').notNull(),
    sourceVersion: text('source_version').notNull(),
    releasedAtMs: integer('released_at_ms'),
  },
  (t) => [
    primaryKey({ columns: [t.taskId, t.sourceVersion] }),
    uniqueIndex('claims_open')
      .on(t.productKey, t.module, t.sourceVersion)
      .where(sql`released_at_ms IS NULL`),
  ],
);

export const deviceUpdates = sqliteTable(
  'device_updates',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id),
    ordinal: integer('ordinal').notNull(),
    productKey: text('product_key').notNull(),
    deviceName: text('device_name').notNull(),
    module: text('module').notNull(),
    protocol: text('protocol').$type<DeviceProtocol>().notNull(),
    attempt: integer('attempt').notNull(),
    status: text('status').$type<DeviceUpdateStatus>().notNull().default('pending'),
    outcome: text('outcome').$type<Outcome>(),
    step: integer('step'),
    cause: text('cause').$type<FailureCause>(),
    detail: text('detail'),
    begunAtMs: integer('begun_at_ms'),
    notifiedAtMs: integer('notified_at_ms'),
    notifications: integer('notifications').notNull().default(0),
    silences: integer('silences').notNull().default(0),
    startedAtMs: integer('started_at_ms'),
    lastProgressAtMs: integer('last_progress_at_ms'),
    hundredAtMs: integer('hundred_at_ms'),
    lastDownloadAtMs: integer('last_download_at_ms'),
    awaySinceMs: integer('away_since_ms'),
    backAtMs: integer('back_at_ms'),
    targetReportedAtMs: integer('target_reported_at_ms'),
    endedAtMs: integer('ended_at_ms'),
    runId: text('run_id'),
    createdAtMs: integer('created_at_ms').notNull(),
    cancelRequestedAtMs: integer('cancel_requested_at_ms'),
    cancelDelivered: integer('cancel_delivered', { mode: 'boolean' }).notNull().default(false),
    progressSignalled: integer('progress_signalled', { mode: 'boolean' }).notNull().default(false),
    hundredSignalled: integer('hundred_signalled', { mode: 'boolean' }).notNull().default(false),
    failureSignalled: integer('failure_signalled', { mode: 'boolean' }).notNull().default(false),
    targetSignalled: integer('target_signalled', { mode: 'boolean' }).notNull().default(false),
    reportedFailure: text('reported_failure', { mode: 'json' }).$type<ReportedFailure>(),
    onlineSignals: integer('online_signals').notNull().default(0),
    onlineSignalledAtMs: integer('online_signalled_at_ms'),
    /** The first report of the target version: its run is told of it. */
    targetHeardAtMs: integer('target_heard_at_ms'),
    /** Since when the run has to be told of a failure or of the target version; null when it knows. */
    newsAtMs: integer('news_at_ms'),
    /** The device's last word on its update before this one, which came after this one's notification. */
    lateReportAtMs: integer('late_report_at_ms'),
    change: integer('change').notNull(),
  },
  (t) => [
    uniqueIndex('device_updates_by_place').on(t.taskId, t.ordinal),
    uniqueIndex('device_updates_by_device').on(t.taskId, t.deviceName),
    index('device_updates_by_status').on(t.taskId, t.status, t.ordinal),
    index('device_updates_by_outcome').on(t.taskId, t.outcome, t.ordinal),
    index('device_updates_by_cause')
      .on(t.taskId, t.cause, t.ordinal)
      .where(sql`cause IS NOT NULL`),
    index('device_updates_by_end')
      .on(t.taskId, t.endedAtMs, t.outcome)
      .where(sql`ended_at_ms IS NOT NULL`),
    index('device_updates_failures')
      .on(t.endedAtMs, t.cause, t.productKey)
      .where(sql`cause IS NOT NULL`),
    index('device_updates_by_change').on(t.taskId, t.change),
    index('device_updates_history').on(t.productKey, t.deviceName, t.id),
    index('device_updates_open')
      .on(t.productKey, t.deviceName)
      .where(sql`status IN ('pending', 'notified', 'upgrading') AND begun_at_ms IS NOT NULL`),
    index('device_updates_news')
      .on(t.newsAtMs, t.id)
      .where(sql`news_at_ms IS NOT NULL AND status IN ('pending', 'notified', 'upgrading')`),
    index('device_updates_untold')
      .on(t.id)
      .where(
        sql`status = 'upgrading' AND (progress_signalled = 0 OR (hundred_at_ms IS NOT NULL AND hundred_signalled = 0))`,
      ),
    index('device_updates_to_cancel')
      .on(t.id)
      .where(sql`cancel_requested_at_ms IS NOT NULL AND cancel_delivered = 0`),
  ],
);

/**
 * Failed device updates of a task by cause, moved by a trigger of the migration: whoever changes a device update moves
 * them, and the page of a task with 250,000 failures has nothing to count.
 */
export const failureCounts = sqliteTable(
  'failure_counts',
  {
    taskId: text('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    cause: text('cause').$type<FailureCause>().notNull(),
    count: integer('count').notNull(),
  },
  (t) => [primaryKey({ columns: [t.taskId, t.cause] })],
);

/** Devices of a product by whether they are online; moved by triggers as well. */
export const deviceCounts = sqliteTable(
  'device_counts',
  {
    productKey: text('product_key').notNull(),
    online: integer('online', { mode: 'boolean' }).notNull(),
    devices: integer('devices').notNull(),
  },
  (t) => [primaryKey({ columns: [t.productKey, t.online] })],
);

/** Devices that run a version; moved by triggers as well. */
export const versionCounts = sqliteTable(
  'version_counts',
  {
    productKey: text('product_key').notNull(),
    module: text('module').notNull(),
    version: text('version').notNull(),
    devices: integer('devices').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.productKey, t.module, t.version] }),
    index('version_counts_by_devices')
      .on(t.productKey, t.module, t.devices, t.version)
      .where(sql`devices > 0`),
  ],
);

export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    key: text('key').primaryKey(),
    fingerprint: text('fingerprint').notNull(),
    /** What the key created: the id of it. */
    resource: text('resource').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (t) => [index('idempotency_keys_by_age').on(t.createdAtMs)],
);

/** Operators that are signed in at the console. A secret is kept as its digest only. */
export const sessions = sqliteTable(
  'sessions',
  {
    hash: text('hash').primaryKey(),
    principal: text('principal').notNull(),
    /** Digest of the token that it rests on: another token ends it. */
    credential: text('credential').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (t) => [index('sessions_by_expiry').on(t.expiresAtMs)],
);

/** Links that sign in once. */
export const signInLinks = sqliteTable('sign_in_links', {
  hash: text('hash').primaryKey(),
  expiresAtMs: integer('expires_at_ms').notNull(),
});

/** Operators' tokens, as digests. */
export const tokens = sqliteTable(
  'tokens',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    role: text('role').$type<Role>().notNull(),
    /** Null: of every product. */
    productKey: text('product_key').references(() => products.productKey),
    hash: text('hash').notNull(),
    createdBy: text('created_by').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms'),
    lastUsedAtMs: integer('last_used_at_ms'),
    revokedAtMs: integer('revoked_at_ms'),
  },
  (t) => [
    uniqueIndex('tokens_by_hash').on(t.hash),
    uniqueIndex('tokens_by_name')
      .on(t.name)
      .where(sql`revoked_at_ms IS NULL`),
    index('tokens_by_age').on(t.createdAtMs, t.id),
  ],
);

/**
 * Append-only: triggers of the migration refuse every other change, but for deleting what an anchor stands for. Each
 * entry's hash covers the one before.
 */
export const auditEntries = sqliteTable(
  'audit_entries',
  {
    id: integer('id').primaryKey(),
    atMs: integer('at_ms').notNull(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    /** What it was done to, such as `task/abc`; null where there is no one thing. */
    target: text('target'),
    productKey: text('product_key'),
    address: text('address'),
    /** `done`, or the code of the refusal. */
    outcome: text('outcome').notNull(),
    before: text('before'),
    after: text('after'),
    previousHash: text('previous_hash').notNull(),
    hash: text('hash').notNull(),
  },
  (t) => [
    index('audit_by_actor').on(t.actor, t.id),
    index('audit_by_action').on(t.action, t.id),
    index('audit_by_target').on(t.target, t.id),
    index('audit_by_product').on(t.productKey, t.id),
    /** Finds the entry in which a task was created, which was done to a firmware or to another task. */
    index('audit_by_created_task')
      .on(sql`after ->> '$.id'`, t.id)
      .where(sql`action IN ('verification.create', 'batch.create', 'task.reinitiate')`),
  ],
);

/** The last entry of each part of the audit log that was archived and deleted: the chain goes on from its hash. */
export const auditAnchors = sqliteTable('audit_anchors', {
  entryId: integer('entry_id').primaryKey(),
  hash: text('hash').notNull(),
  archivedAtMs: integer('archived_at_ms').notNull(),
});

export const settings = sqliteTable('settings', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});

/** One row: the number of the newest change. */
export const changeCounter = sqliteTable('change_counter', {
  id: integer('id').primaryKey(),
  value: integer('value').notNull(),
});
