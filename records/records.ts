import type { DeviceProtocol, DeviceUpdateState, DeviceUpdateStatus, Outcome } from '../domain/device-update.js';
import type { FailureCause } from '../domain/causes.js';
import type { Offer, OfferFacts, ReportedFailure } from '../domain/offer.js';
import type { FerryError } from '../domain/errors.js';
import type { DeviceKey, TaskKind } from '../domain/ids.js';
import type { FirmwareLimits, UpdatePolicy } from '../domain/policy.js';
import type { SignInRefusal } from '../domain/sign-in-refusals.js';
import type { Role } from '../domain/roles.js';
import type { Approval, FirmwareStatus, PauseCause, TaskCounts, TaskStatus } from '../domain/update-task.js';

/*
 * The records: what operators list, count and filter, and the outbox of what the engine must still be told.
 *
 * Every method is one atomic step; none leaves a transaction open for its caller. All are async, so that a dialect over
 * a network fits behind the same interface. A promise resolves only once the change is committed: broker and activities
 * acknowledge on it. Every write can be repeated; its key is the business key. Times are epoch milliseconds, given by
 * the caller. Refusals are `FerryError`s.
 */

export type DigestMethod = 'MD5' | 'SHA256';

export interface PageRequest {
  /** 1 to 500 rows. */
  readonly limit: number;
  /** From the page before; opaque. A malformed one is refused: `invalid-request`, field `cursor`. */
  readonly cursor?: string | undefined;
}
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** Name of the setting that holds the key that signs download URLs. */
export const DOWNLOAD_URL_KEY = 'download-url-key';

/** Makes a creation repeatable: the same key answers what it created; with another fingerprint it is refused. */
export interface Idempotency {
  /** Unique over all who ask. */
  readonly key: string;
  /** Of route and body: the same key with another fingerprint is `idempotency-key-reused`. */
  readonly fingerprint: string;
}
/** What a creation answers: `replayed` is true when the idempotency key had created it before. */
export interface Created<T> {
  readonly value: T;
  readonly replayed: boolean;
}

/** A public key that a product's firmware may be signed by. */
export interface TrustedKey {
  /** The first 16 hex digits of the SHA-256 of the raw public key. */
  readonly keyId: string;
  /** Ed25519, raw 32 bytes in base64. */
  readonly publicKey: string;
}

export interface Product {
  readonly productKey: string;
  readonly name: string;
  /** Its firmware must be signed by one of these; none: unsigned firmware is taken. */
  readonly trustedKeys: readonly TrustedKey[];
  /** A rebuild does not know what it trusted: no firmware is taken until somebody decides (`trustKeys`). */
  readonly trustUndecided: boolean;
  /** A batch needs that so many devices have succeeded in verifications of its firmware; 0: none needs to. */
  readonly verificationSuccessesMin: number;
  readonly createdAtMs: number;
}

/** It trusts no key yet, and batches need no success of a verification. */
export type NewProduct = Omit<Product, 'trustedKeys' | 'trustUndecided' | 'verificationSuccessesMin'>;

/** What of a product can be changed. */
export type ProductChange = Partial<Pick<Product, 'name' | 'verificationSuccessesMin'>>;

export interface NewDevice {
  readonly deviceName: string;
  readonly deviceSecret: string;
  readonly protocol: DeviceProtocol;
}

/** What a device reported to run of a module. */
export interface InstalledVersion {
  readonly module: string;
  readonly version: string;
  /** Since when the device reports this version. */
  readonly reportedAtMs: number;
}

/** A sign-in in a device's name that was refused. */
export interface RefusedSignIn {
  readonly reason: SignInRefusal;
  /** Where it came from. */
  readonly address: string;
  readonly atMs: number;
}

/** Two units that use one device name have taken the connection from each other. */
export interface NameClash {
  /** The latest time. */
  readonly atMs: number;
  /** Where the two came from: the same address twice behind one router. */
  readonly addresses: readonly string[];
}

export interface Device extends DeviceKey {
  readonly protocol: DeviceProtocol;
  /** Of the module `default`; null until the device has reported one. */
  readonly version: string | null;
  /** Every module that the device has reported, with the version it runs. */
  readonly modules: readonly InstalledVersion[];
  readonly online: boolean;
  readonly lastSeenAtMs: number | null;
  /** Since then it may not sign in. */
  readonly revokedAtMs: number | null;
  /** The latest one. */
  readonly refusedSignIn: RefusedSignIn | null;
  /** The latest one. */
  readonly nameClash: NameClash | null;
  readonly createdAtMs: number;
  /** The open device update that holds the device, if any. */
  readonly currentUpdate: DeviceUpdateRecord | null;
}

export interface DeviceFilter {
  readonly version?: string | undefined;
  /** The module that `version` is about; `default` if absent. */
  readonly module?: string | undefined;
  readonly online?: boolean | undefined;
  /** Part of the device name. */
  readonly search?: string | undefined;
}

export interface NewFirmware {
  readonly id: string;
  readonly name: string;
  readonly productKey: string;
  readonly module: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly signMethod: DigestMethod;
  /** Lower-case hex, of `signMethod`. */
  readonly sign: string;
  /** Lower-case hex: the content address in the firmware store. */
  readonly sha256: string;
  /** Detached Ed25519 signature in base64, checked by whoever adds it; null if there is none. */
  readonly signature?: string | null;
  /** The trusted key that it was checked with. */
  readonly signatureKeyId?: string | null;
  readonly createdAtMs: number;
}
/** What the firmware of an update task is, whatever else happens to it. */
export interface TargetFirmware extends NewFirmware {
  readonly verifiedAtMs: number | null;
  readonly deletedAtMs: number | null;
  readonly signature: string | null;
  readonly signatureKeyId: string | null;
}

/** How a verification has ended. */
export interface VerificationResult {
  readonly taskId: string;
  readonly status: TaskStatus;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly total: number;
  readonly endedAtMs: number;
}

export interface Firmware extends TargetFirmware {
  readonly status: FirmwareStatus;
  /** The newest completed verification: it makes a firmware verified, whatever came out of it. */
  readonly lastVerification: VerificationResult | null;
  /** Different devices that have succeeded in verifications of it. */
  readonly verificationSuccesses: number;
  /** Open tasks that use it. */
  readonly openTasks: number;
}

/** Every task that is created: verifications, batches, and re-initiations of either. */
export interface NewTask {
  readonly id: string;
  readonly kind: TaskKind;
  readonly firmwareId: string;
  /** The versions that a batch updates: it claims them [seed: conflict]. Empty for a verification. */
  readonly sourceVersions: readonly string[];
  /** The devices, or null for all of the product that run one of the source versions. */
  readonly deviceNames: readonly string[] | null;
  readonly policy: UpdatePolicy;
  readonly createdAtMs: number;
  /** Name of the principal. */
  readonly startedBy?: string | undefined;
  /** A batch of more devices than this needs a second operator's approval; null: none does. */
  readonly approvalAbove?: number | null | undefined;
  /** A batch of more devices than this is refused; absent: the domain's `BATCH_DEVICES_MAX`. */
  readonly devicesMax?: number | undefined;
  readonly idempotency?: Idempotency | undefined;
}

export interface TaskRecord {
  readonly id: string;
  readonly kind: TaskKind;
  readonly status: TaskStatus;
  readonly firmware: Pick<Firmware, 'id' | 'name' | 'productKey' | 'module' | 'version'>;
  readonly sourceVersions: readonly string[];
  readonly policy: UpdatePolicy;
  readonly counts: TaskCounts;
  /** The task whose failed devices this one re-initiates. */
  readonly reinitiates: string | null;
  /** Name of the principal; null in tasks of older releases. */
  readonly startedBy: string | null;
  readonly workflowId: string;
  /** Null until the engine has begun it. */
  readonly runId: string | null;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly cancelRequestedAtMs: number | null;
  /** A verification that an operator ended early. */
  readonly endRequestedAtMs: number | null;
  readonly pausedCause: PauseCause | null;
  readonly pausedAtMs: number | null;
  /** A second operator must approve it before anything is sent. */
  readonly needsApproval: boolean;
  readonly approval: Approval | null;
  /** Number of the task's last change: `changesSince` answers what came after one. */
  readonly change: number;
}

export interface DeviceUpdateRecord extends DeviceKey, DeviceUpdateState {
  /** Decimal, unique over all tasks; part of download URLs. At most 2^47. */
  readonly id: number;
  readonly taskId: string;
  /** Place in its task, from 0: shards are ranges of it. */
  readonly ordinal: number;
  readonly protocol: DeviceProtocol;
  /** 1 for the first try, counted over the chain of re-initiations. */
  readonly attempt: number;
  readonly workflowId: string;
  readonly runId: string | null;
  readonly createdAtMs: number;
  readonly cancelRequestedAtMs: number | null;
  readonly change: number;
}

export type { ReportedFailure };

/** An open device update with what gateway and activities need of its task. */
export interface OpenDeviceUpdate extends OfferFacts {
  readonly record: DeviceUpdateRecord;
  readonly firmware: TargetFirmware;
  readonly policy: UpdatePolicy;
  /** Null while it is online, and of a device that was never seen. */
  readonly offlineSinceMs: number | null;
  /** The engine knows of the reported failure. */
  readonly failureSignalled: boolean;
  /** The engine knows that the device has reported the target version. */
  readonly targetSignalled: boolean;
  /** The first report of the target version. */
  readonly targetHeardAtMs: number | null;
  /** Since when the engine has to be told of a failure or of the target version; null: it knows all. */
  readonly newsAtMs: number | null;
  /** `online` signals sent so far, and the latest: a flapping device is held back (domain `onlineBackoffMs`). */
  readonly onlineSignals: number;
  readonly onlineSignalledAtMs: number | null;
}

/** A place in the order of untold news. */
export interface NewsPlace {
  readonly newsAtMs: number;
  readonly id: number;
}

export interface DeviceUpdateFilter {
  readonly status?: DeviceUpdateStatus | undefined;
  readonly outcome?: Outcome | undefined;
  readonly cause?: FailureCause | undefined;
  /** Part of the device name. */
  readonly search?: string | undefined;
}

export interface TaskFilter {
  readonly firmwareId?: string | undefined;
  readonly productKey?: string | undefined;
  readonly kind?: TaskKind | undefined;
  readonly status?: TaskStatus | undefined;
}

/** What changed after a change number; the newest state of each, not each step between. */
export interface Changes {
  readonly tasks: readonly TaskRecord[];
  readonly deviceUpdates: readonly DeviceUpdateRecord[];
  /** Resume from here. */
  readonly change: number;
  /** There is more: ask again at once. */
  readonly more: boolean;
}

/** A batch that holds source versions which another one asks for. */
export interface Conflict {
  readonly taskId: string;
  readonly firmware: Pick<Firmware, 'id' | 'name' | 'version'>;
  readonly sourceVersions: readonly string[];
}

/** Devices of a product by whether they are online. */
export interface DeviceCounts {
  readonly productKey: string;
  readonly online: number;
  readonly offline: number;
}

export interface VersionCount {
  /** Null: the devices have not reported one. */
  readonly version: string | null;
  readonly devices: number;
}

/** What a batch would meet if it was created now. */
export interface BatchPreview {
  readonly devices: number;
  /** MQTT devices that are connected. */
  readonly online: number;
  readonly offline: number;
  /** HTTP and CoAP devices: they can't be notified. */
  readonly transient: number;
  /** Of all of them: not finished with another update. */
  readonly busy: number;
  readonly versions: readonly { readonly version: string; readonly devices: number }[];
  readonly conflicts: readonly Conflict[];
  /** Source versions of another scheme than the firmware's: whether it is a downgrade for them is not known. */
  readonly unorderedVersions: readonly string[];
  /** Why it would be refused, apart from conflicts. */
  readonly refusal: FerryError | null;
}

/** Device updates of a task that ended within a span of time. */
export interface EndedCounts {
  /** Number of the span, from 0. */
  readonly span: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** An operator who is signed in at the console. */
export interface Session {
  readonly principal: string;
  /** Digest of the token that it rests on. */
  readonly credential: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}
/** With the digest of its secret, which is nowhere kept. */
export interface NewSession extends Session {
  readonly hash: string;
}

/** A task that the engine must still be told about: not started, or a request not delivered. */
export interface Undelivered {
  readonly task: TaskRecord;
  readonly start: boolean;
  readonly cancel: boolean;
  readonly end: boolean;
  readonly approval: Approval | null;
}

export interface NewToken {
  readonly id: string;
  /** Unique among those that are not revoked. */
  readonly name: string;
  readonly role: Role;
  /** Null: it is good for every product. */
  readonly productKey: string | null;
  /** Hex SHA-256 of the token, which is nowhere kept. */
  readonly hash: string;
  readonly createdBy: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}
/** An operator's token, without what it is recognized by. */
export interface Token extends Omit<NewToken, 'hash'> {
  /** Within a minute. */
  readonly lastUsedAtMs: number | null;
  readonly revokedAtMs: number | null;
}

/** What somebody did, or tried to do. */
export interface AuditDraft {
  readonly atMs: number;
  /** Name of the principal; `unknown` for who was not signed in. */
  readonly actor: string;
  /** Such as `task.cancel`. */
  readonly action: string;
  /** What it was done to, such as `task/abc`. */
  readonly target: string | null;
  readonly productKey: string | null;
  /** Where the request came from. */
  readonly address: string | null;
  /** `done`, or the code of the refusal. */
  readonly outcome: string;
  /** JSON, secrets never in it. */
  readonly before: string | null;
  readonly after: string | null;
}
export interface AuditEntry extends AuditDraft {
  /** From 1, without gaps. */
  readonly id: number;
  readonly previousHash: string;
  /** Hex SHA-256 over the previous entry's hash and this entry (records/audit-chain.ts). */
  readonly hash: string;
}
/** The last entry of what was archived and deleted: the log goes on from its hash. */
export interface AuditAnchor {
  readonly entryId: number;
  readonly hash: string;
  readonly archivedAtMs: number;
}
export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly productKey?: string | undefined;
}

/** A task with all that its runs' histories hold of it. */
export interface TaskSnapshot
  extends
    Pick<
      TaskRecord,
      | 'id'
      | 'kind'
      | 'status'
      | 'sourceVersions'
      | 'policy'
      | 'reinitiates'
      | 'startedBy'
      | 'runId'
      | 'createdAtMs'
      | 'startedAtMs'
      | 'endedAtMs'
      | 'cancelRequestedAtMs'
      | 'endRequestedAtMs'
    >,
    Partial<Pick<TaskRecord, 'needsApproval' | 'approval'>> {
  readonly firmware: NewFirmware & Pick<Firmware, 'verifiedAtMs'>;
  readonly deviceUpdates: readonly DeviceUpdateSnapshot[];
}
export interface DeviceUpdateSnapshot extends Pick<
  DeviceUpdateRecord,
  'ordinal' | 'deviceName' | 'protocol' | 'attempt' | 'runId'
> {
  readonly state: DeviceUpdateState;
}

/** What is wrong within the records themselves. */
export type BookkeepingFault =
  | { readonly kind: 'counts-wrong'; readonly taskId: string }
  | { readonly kind: 'claim-leaked'; readonly taskId: string; readonly sourceVersion: string }
  | {
      readonly kind: 'claim-missing';
      readonly taskId: string;
      readonly sourceVersion: string;
      /** The open batch that holds the version instead, if any. */
      readonly heldBy: string | null;
    }
  | { readonly kind: 'failure-counts-wrong'; readonly taskId: string }
  | { readonly kind: 'device-counts-wrong'; readonly productKey: string }
  | { readonly kind: 'version-counts-wrong'; readonly productKey: string };

/** What one piece of forgetting has removed. */
export interface Forgotten {
  readonly tasks: number;
  readonly deviceUpdates: number;
  /** There may be more: ask again. */
  readonly more: boolean;
}

export interface Records {
  // ── products and devices ──────────────────────────────────────────────────────────────────────
  /** @throws FerryError `product-exists` */
  createProduct(product: NewProduct, idempotency?: Idempotency): Promise<Created<Product>>;
  getProduct(productKey: string): Promise<Product | undefined>;
  /** @throws FerryError `not-found` */
  changeProduct(productKey: string, change: ProductChange): Promise<Product>;
  /**
   * Takes a product out of service, which must have no devices, no firmware that is not deleted, and no tokens that are
   * good. Its records stay, and with them its key; without any record it is gone, and its key is free.
   *
   * @throws FerryError `not-found`, `product-in-use` naming what it still has
   */
  deleteProduct(productKey: string, atMs: number): Promise<Product>;
  /** Newest first. */
  listProducts(page: PageRequest): Promise<Page<Product>>;
  /**
   * From now on, firmware must be signed by one of these; with none of them, any firmware is taken. Either decides what
   * a rebuild has left undecided. Nobody else changes them in between.
   *
   * @param change the new ones, made of those before; what it throws changes nothing
   * @throws FerryError `not-found`
   */
  trustKeys(productKey: string, change: (before: readonly TrustedKey[]) => readonly TrustedKey[]): Promise<Product>;

  /**
   * All of them or none. A replay answers the devices as they were registered, secrets included.
   *
   * @throws FerryError `not-found` (product), `device-exists` with the names in `extra.deviceNames`,
   *   `registration-changed` for a replay after the secret of one of them was replaced
   */
  registerDevices(
    productKey: string,
    devices: readonly NewDevice[],
    createdAtMs: number,
    idempotency?: Idempotency,
  ): Promise<Created<readonly NewDevice[]>>;
  getDevice(key: DeviceKey): Promise<Device | undefined>;
  /** By name. */
  listDevices(productKey: string, filter: DeviceFilter, page: PageRequest): Promise<Page<Device>>;
  /**
   * The device signs in by the new name from now on, with the secret that it has; what it runs is kept. Its update
   * records stay under the old name.
   *
   * @throws FerryError `not-found`, `device-exists`, `device-in-use` naming the open task
   */
  renameDevice(key: DeviceKey, deviceName: string): Promise<Device>;
  /**
   * Forgets the device, its secret and what it runs; its update records stay.
   *
   * @returns the device as it was
   * @throws FerryError `not-found`, `device-in-use` naming the open task
   */
  deleteDevice(key: DeviceKey): Promise<Device>;
  /** For the sign-in of the broker; undefined for an unknown device, and for a revoked one. */
  deviceSecret(key: DeviceKey): Promise<string | undefined>;
  /**
   * Notes on the device that a sign-in in its name was refused; a repeated one is noted every ten seconds.
   *
   * @returns the reason, as the records know it: the device may be unknown, or revoked
   */
  signInRefused(key: DeviceKey, refusal: RefusedSignIn): Promise<SignInRefusal>;
  /** Notes on the device that two units use its name. */
  nameClashed(key: DeviceKey, clash: NameClash): Promise<void>;
  /** The old secret is void from now on. @throws FerryError `not-found` */
  rotateDeviceSecret(key: DeviceKey, deviceSecret: string): Promise<Device>;
  /** @param revokedAtMs null restores it. @throws FerryError `not-found` */
  revokeDevice(key: DeviceKey, revokedAtMs: number | null): Promise<Device>;
  /**
   * Seals every secret by the newest key, plain ones of older releases too.
   *
   * @returns how many were not yet; and whether all of them are sure to be so after a power cut too: only then may the
   *   older keys be forgotten
   */
  resealSecrets(): Promise<{ readonly resealed: number; readonly isDurable: boolean }>;

  // ── what devices report ───────────────────────────────────────────────────────────────────────
  /** The connection becomes the device's: an older one's end no longer counts. */
  deviceConnected(key: DeviceKey, connectionId: string, atMs: number): Promise<void>;
  /** Nothing when another connection has taken over. */
  deviceDisconnected(key: DeviceKey, connectionId: string, atMs: number): Promise<void>;
  /** At the start of an embedded broker: no connection has survived. */
  allDevicesDisconnected(): Promise<void>;
  /**
   * Records what the device runs; what is known already changes nothing. Answers its open, begun update of that
   * module, if any; the first report of its target version is noted for the engine (`untoldNews`). With a soak time,
   * that one begins it, and a report of another version after that is noted as failure `fell-back`. A device has at
   * most 64 modules: one more changes nothing.
   */
  versionReported(
    key: DeviceKey,
    report: { readonly module: string; readonly version: string; readonly atMs: number },
  ): Promise<OpenDeviceUpdate | 'too-many-modules' | undefined>;
  /**
   * Applies a percentage (domain `progressed`) to the open, begun update of that module, if the device was ever
   * notified of it. The engine is told afterwards (`untoldProgress`). False when there is nothing to apply it to, or
   * when it is about the device's update before that one (domain `isLateWord`).
   */
  progressReported(
    key: DeviceKey,
    report: { readonly module: string | null; readonly step: number; readonly atMs: number },
  ): Promise<boolean>;
  /**
   * Updates in progress of whose first progress, or step 100, the engine was not told: those that were reported before
   * these times (epoch ms). In the order of their ids, from after one on.
   */
  untoldProgress(
    before: { readonly startedBeforeMs: number; readonly hundredBeforeMs: number },
    limit: number,
    afterId?: number,
  ): Promise<readonly OpenDeviceUpdate[]>;
  /**
   * Notes the failure that a device reports of its open, begun update, if it was ever notified of it; the first one
   * stays. The update itself is ended by its run, which is told afterwards (`untoldNews`), or finds the note when it
   * looks. Undefined when there is no such update, or when the failure is that of the update before (`isLateWord`).
   */
  failureReported(
    key: DeviceKey,
    report: ReportedFailure & { readonly module: string | null },
  ): Promise<OpenDeviceUpdate | undefined>;
  /** What the device last reported to run of that module. */
  installedVersion(key: DeviceKey, module: string): Promise<InstalledVersion | undefined>;
  /** The open and begun update of a device; of any module when `module` is null. */
  openDeviceUpdate(key: DeviceKey, module: string | null): Promise<OpenDeviceUpdate | undefined>;
  /** The engine has been told: remembers it, so that it is not told at every report. */
  signalled(
    updateId: number,
    what: 'progress' | 'hundred' | 'target' | 'failure' | 'online',
    atMs: number,
  ): Promise<void>;
  /** The device of an update is being sent its firmware; nothing when the update has ended. */
  downloading(updateId: number, atMs: number): Promise<void>;
  /**
   * Open, begun, pending updates of devices that are online: their `online` signal may have been lost. Each call looks
   * at the next thousand open updates and answers those that have waited longest for a signal first; as many calls as
   * there are thousands see all.
   */
  pendingOnlineUpdates(limit: number): Promise<readonly OpenDeviceUpdate[]>;

  /**
   * Open updates with a failure, or a report of the target version, that the engine does not know of yet. The oldest
   * news come first, from after those of an update on.
   */
  untoldNews(limit: number, after?: NewsPlace): Promise<readonly OpenDeviceUpdate[]>;

  // ── firmware ──────────────────────────────────────────────────────────────────────────────────
  /**
   * Adds it if the limits allow, decided within the transaction.
   *
   * @throws FerryError `not-found` (product), `firmware-quota-exceeded`, `firmware-version-exists`,
   *   `firmware-signature-invalid` when it is not signed by a key that the product trusts by now; `trust-undecided`
   */
  addFirmware(
    firmware: NewFirmware,
    limits: Pick<FirmwareLimits, 'firmwareMax'>,
    idempotency?: Idempotency,
  ): Promise<Created<Firmware>>;
  /** Deleted ones too. */
  getFirmware(id: string): Promise<Firmware | undefined>;
  /** Newest first, without deleted ones. */
  listFirmware(filter: { readonly productKey?: string | undefined }, page: PageRequest): Promise<Page<Firmware>>;
  /** All that were ever added, deleted ones counted [seed: add]. */
  countFirmware(productKey?: string): Promise<number>;
  /** Soft. @throws FerryError `not-found`, `firmware-in-use` naming the open tasks */
  deleteFirmware(id: string, atMs: number): Promise<Firmware>;

  // ── update tasks ──────────────────────────────────────────────────────────────────────────────
  /**
   * Records the task, its claims and its device updates (all pending) in one transaction.
   *
   * @throws FerryError `not-found` (firmware); `firmware-deleted`; `firmware-not-verified`, `firmware-not-proven` (batch);
   *   `firmware-signature-invalid` when the product trusts its key no more; `trust-undecided`;
   *   `update-task-conflict` with `extra.conflicts: [{taskId, firmware: {id, name, version}, sourceVersions}]`;
   *   `devices-invalid` with `extra.devices: [{deviceName, problem}]` for listed devices that do not exist, are listed
   *   twice, are revoked, or (batch) run none of the source versions; `downgrade-not-allowed`; `no-target-devices`;
   *   `batch-too-large`
   */
  createTask(task: NewTask): Promise<Created<TaskRecord>>;
  /**
   * A new task of the same kind, firmware, claims and policy over the failed devices of an ended one: all, or those
   * named. Attempts count on.
   *
   * @throws FerryError as `createTask`, `not-found` (task), `task-not-ended`, `nothing-to-reinitiate`, `devices-invalid`
   */
  reinitiateTask(input: {
    readonly id: string;
    readonly reinitiates: string;
    readonly deviceNames: readonly string[] | null;
    readonly createdAtMs: number;
    readonly startedBy?: string | undefined;
    readonly approvalAbove?: number | null | undefined;
    readonly idempotency?: Idempotency | undefined;
  }): Promise<Created<TaskRecord>>;
  getTask(id: string): Promise<TaskRecord | undefined>;
  /** Newest first. */
  listTasks(filter: TaskFilter, page: PageRequest): Promise<Page<TaskRecord>>;
  /** In the order of their place in the task. */
  listDeviceUpdates(taskId: string, filter: DeviceUpdateFilter, page: PageRequest): Promise<Page<DeviceUpdateRecord>>;
  getDeviceUpdate(taskId: string, deviceName: string): Promise<DeviceUpdateRecord | undefined>;
  getDeviceUpdateById(id: number): Promise<OpenDeviceUpdate | undefined>;
  /** As `getDeviceUpdateById`, of a device in a task. */
  wholeDeviceUpdate(taskId: string, deviceName: string): Promise<OpenDeviceUpdate | undefined>;
  /** One device over all tasks, newest first. */
  listDeviceHistory(key: DeviceKey, page: PageRequest): Promise<Page<DeviceUpdateRecord>>;
  /** Failed device updates of a task by cause. */
  countFailuresByCause(taskId: string): Promise<Readonly<Record<string, number>>>;

  // ── what operators look at before and after ───────────────────────────────────────────────────
  /** Of every product that has devices. */
  countDevices(): Promise<readonly DeviceCounts[]>;
  /** Most devices first. */
  countVersions(productKey: string, module: string, page: PageRequest): Promise<Page<VersionCount>>;
  /** The open claims of a product's module. */
  listConflicts(productKey: string, module: string): Promise<readonly Conflict[]>;
  /** Changes nothing. @throws FerryError `not-found` (firmware) */
  previewBatch(batch: Pick<NewTask, 'firmwareId' | 'sourceVersions' | 'deviceNames' | 'policy'>): Promise<BatchPreview>;
  /** What ended in each span of `spanMs` from `fromMs` on; spans in which nothing ended are left out. */
  countEnded(taskId: string, fromMs: number, spanMs: number): Promise<readonly EndedCounts[]>;
  /**
   * Of the device updates of a task that have not ended, how many have a device that is online; `devices` are those that
   * were looked at: of very many only the first ones.
   */
  countOnline(taskId: string): Promise<{ readonly devices: number; readonly online: number }>;
  /** Failures of all tasks since then, by cause; most first. */
  countFailuresSince(
    sinceMs: number,
    productKey?: string,
  ): Promise<readonly { readonly cause: FailureCause; readonly count: number }[]>;
  /** Of all tasks, newest first. */
  latestFailures(sinceMs: number, limit: number, productKey?: string): Promise<readonly DeviceUpdateRecord[]>;
  /** Ended tasks, created since then, that have failed devices and were not re-initiated; newest first. */
  tasksToReinitiate(sinceMs: number, limit: number, productKey?: string): Promise<readonly TaskRecord[]>;
  /** Not deleted, and no open task uses it; newest first. */
  firmwareToValidate(limit: number, productKey?: string): Promise<readonly Firmware[]>;

  // ── sessions of the console ───────────────────────────────────────────────────────────────────
  addSession(session: NewSession): Promise<void>;
  /** Undefined when it has expired or was ended. */
  getSession(hash: string, atMs: number): Promise<Session | undefined>;
  endSession(hash: string): Promise<void>;
  addSignInLink(hash: string, expiresAtMs: number): Promise<void>;
  /** Uses the link up and begins the session, in one step; false when the link is used, expired or unknown. */
  redeemSignInLink(hash: string, session: NewSession): Promise<boolean>;
  /** Forgets sessions and links that have expired. */
  forgetSessions(beforeMs: number): Promise<void>;

  // ── operators' tokens, and the audit log ──────────────────────────────────────────────────────
  /** @throws FerryError `token-exists`, `not-found` (product) */
  addToken(token: NewToken): Promise<Token>;
  /** Revoked ones too, newest first. */
  listTokens(page: PageRequest): Promise<Page<Token>>;
  getToken(id: string): Promise<Token | undefined>;
  /** By the digest of what its holder sends; undefined when it is nobody's. Whether it is still good is for the caller. */
  tokenByHash(hash: string): Promise<Token | undefined>;
  /** It and the sessions that rest on it end; repeatable. @throws FerryError `not-found` */
  revokeToken(id: string, atMs: number): Promise<Token>;
  tokenUsed(id: string, atMs: number): Promise<void>;
  /** Appends to the chain. */
  addAudit(entry: AuditDraft): Promise<AuditEntry>;
  /** Newest first. */
  listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>>;
  /** In the order of the chain, from after an id; nothing that is archived. */
  auditChain(afterId: number, limit: number): Promise<readonly AuditEntry[]>;
  /** Of the newest archive. */
  auditAnchor(): Promise<AuditAnchor | undefined>;
  /**
   * The entries up to this one are archived elsewhere: from now on the log begins after it, and they may be deleted.
   * Repeatable.
   *
   * @throws FerryError `not-found` when there is no such entry, or it has another hash, or when the log does not go on from
   *   what was archived before: what is lost there would never be missed
   */
  anchorAudit(entry: { readonly id: number; readonly hash: string }, atMs: number): Promise<AuditAnchor>;
  /** Deletes some of what is archived. @returns how many entries; 0 when nothing is left */
  dropArchivedAudit(entriesMax: number): Promise<number>;

  // ── requests of operators, and the outbox ─────────────────────────────────────────────────────
  /** Its claims are free with this commit. @throws FerryError `not-found`, `task-not-open` */
  requestTaskCancel(taskId: string, atMs: number): Promise<TaskRecord>;
  /** @throws FerryError `not-found`, `task-not-open`, `not-a-verification`, `verification-reached-nobody` */
  requestVerificationEnd(taskId: string, atMs: number): Promise<TaskRecord>;
  /** @throws FerryError `not-found`, `device-update-ended` */
  requestDeviceCancel(taskId: string, deviceName: string, atMs: number): Promise<DeviceUpdateRecord>;
  /**
   * What a second operator says of a task that needs it; the first decision stays. `replayed` when the same operator has
   * said the same before.
   *
   * @throws FerryError `not-found`, `task-not-awaiting-approval`, `second-operator-required` for its creator
   */
  decideTask(taskId: string, approval: Approval): Promise<Created<TaskRecord>>;
  /** Oldest first. */
  undeliveredTasks(limit: number): Promise<readonly Undelivered[]>;
  undeliveredTask(taskId: string): Promise<Undelivered | undefined>;
  /** Device updates of a task whose cancel request the engine must still be told of: begun and open. */
  undeliveredDeviceCancels(taskId: string, limit: number): Promise<readonly DeviceUpdateRecord[]>;
  /** The tasks that have such device updates: many of one task leave room for the others. */
  tasksWithUndeliveredDeviceCancels(limit: number): Promise<readonly string[]>;
  delivered(taskId: string, what: 'start' | 'cancel' | 'end' | 'approval'): Promise<void>;
  deviceCancelDelivered(updateId: number): Promise<void>;
  /**
   * Cancels the device updates of some places of a task that still wait: `untold` are those of a task that is being
   * stopped (none otherwise) of which the device was told nothing, `unbegun` those whose runs never began.
   *
   * @returns how many it has cancelled
   */
  cancelWaiting(
    taskId: string,
    piece: {
      readonly which: 'untold' | 'unbegun';
      readonly fromOrdinal: number;
      /** Excluded. */
      readonly toOrdinal: number;
      readonly atMs: number;
    },
  ): Promise<number>;
  /** The runs of cancelled device updates, from one place to another, whose devices were told nothing. */
  untoldRuns(
    taskId: string,
    fromOrdinal: number,
    toOrdinal: number,
  ): Promise<readonly { readonly deviceName: string; readonly runId: string }[]>;

  // ── the workflows' projection ─────────────────────────────────────────────────────────────────
  taskBegun(taskId: string, runId: string, atMs: number): Promise<TaskRecord>;
  /** Device updates of one shard that are still open, by place. */
  loadShard(taskId: string, fromOrdinal: number, toOrdinal: number): Promise<readonly DeviceUpdateRecord[]>;
  /**
   * Stores the workflow's state of a device update. An ended one never changes; the step never falls below what the
   * gateway has recorded, and its times of progress and of downloads stay. Counts move in the same transaction.
   *
   * @returns the record after the write
   */
  recordDeviceUpdate(
    taskId: string,
    key: DeviceKey,
    state: DeviceUpdateState,
    runId: string | null,
  ): Promise<DeviceUpdateRecord>;
  /**
   * Asks whether the device may have its update now (domain `offerOf`), and if so stores `state`, which says that it is
   * notified, in the same transaction: a request to stop that is committed before it is seen, one that comes after it
   * finds the device notified.
   *
   * @throws FerryError `not-found`
   */
  giveOut(taskId: string, key: DeviceKey, state: DeviceUpdateState, runId: string | null): Promise<Offer>;
  /**
   * Stores the end of a device update whose run never began. One that has begun meanwhile stays as it is.
   *
   * @throws FerryError `not-found`
   */
  endUnbegun(taskId: string, key: DeviceKey, end: DeviceUpdateState): Promise<DeviceUpdateRecord>;
  /**
   * Stores the state from before a notification that could not be sent, unless the device was notified otherwise
   * meanwhile.
   *
   * @param notifiedAtMs which notification is taken back
   */
  takeBack(
    taskId: string,
    key: DeviceKey,
    before: { readonly state: DeviceUpdateState; readonly runId: string | null; readonly notifiedAtMs: number },
  ): Promise<DeviceUpdateRecord>;
  /**
   * Ends the task and releases its claims; device updates that never began become cancelled. A verification that
   * completes makes its firmware verified. Repeatable: the first end stays.
   */
  taskEnded(taskId: string, status: 'completed' | 'cancelled' | 'rejected', atMs: number): Promise<TaskRecord>;
  /** Running tasks of firmware with that file are paused: nothing new goes out. @returns their ids */
  pauseTasksOf(sha256: string, cause: PauseCause, atMs: number): Promise<readonly string[]>;
  /** The file is as it should be again. @returns the ids of the tasks that go on */
  resumeTasksOf(sha256: string): Promise<readonly string[]>;
  countTasks(status: TaskStatus): Promise<number>;
  /** The files of paused tasks. */
  pausedFiles(): Promise<readonly string[]>;

  // ── changes ───────────────────────────────────────────────────────────────────────────────────
  /** What changed after `change`, in order; of one task, or of all tasks (then without device updates). */
  changesSince(change: number, taskId: string | null, limit: number): Promise<Changes>;
  /** The newest change number. */
  lastChange(): Promise<number>;
  /** Called after commits with the ids of the tasks that they changed, or null: any may be; answers how to stop. */
  onChange(listener: (taskIds: ReadonlySet<string> | null) => void): () => void;

  // ── for a rebuild ─────────────────────────────────────────────────────────────────────────────
  /**
   * Writes a task as its histories tell it, with its firmware, product and claims, counts included. Whose signatures a
   * new product trusts is undecided. A task that is there
   * already stays as it is.
   *
   * @returns false when it was there
   */
  importTask(task: TaskSnapshot): Promise<boolean>;

  // ── for the doctor ────────────────────────────────────────────────────────────────────────────
  /** Whatever the engine was told of the task counts as not told: the outbox tells it again. */
  tellAgain(taskId: string): Promise<void>;
  /** Ended tasks with device updates that have not: of runs that were terminated in the wrong order, say. */
  endedTasksWithOpenUpdates(): Promise<readonly string[]>;
  /** Counts that are not what counting finds, and claims that are not where they should be. Looks at everything. */
  bookkeepingFaults(): Promise<readonly BookkeepingFault[]>;
  /** @returns false when it can't be repaired: another task holds the claim, or has taken it meanwhile */
  repairBookkeeping(fault: BookkeepingFault, atMs: number): Promise<boolean>;

  // ── after a restore ───────────────────────────────────────────────────────────────────────────
  /**
   * The engine is an older one now: whatever open tasks and device updates were told counts as not told, and no device
   * is connected. Nothing that is open, ended or claimed changes.
   *
   * @param change the newest change number before the engine's backup: what changed after it, the engine may not know.
   *   Null when the engine is none of ours to restore.
   */
  engineRestored(change: number | null): Promise<void>;
  /**
   * These records are older than what was given out by them last, or were made anew. Nothing that was given out may be
   * good for something else from now on: numbers of changes and of device updates go on far above all that were given,
   * another key signs download URLs, and sessions and sign-in links end.
   */
  beginEra(atMs: number): Promise<void>;
  /** Whether the number is of a change that the records have lost in that way: who has it can't go on from there. */
  isLostChange(change: number): Promise<boolean>;
  /** The change number of a restore that the engine has not caught up with yet. */
  restorePoint(): Promise<number | undefined>;
  /** The engine knows what it missed: forgets the restore point. */
  engineCaughtUp(): Promise<void>;

  // ── keeping ───────────────────────────────────────────────────────────────────────────────────
  /** A key and its value that must outlive restarts, such as the key that signs download URLs. */
  setting(name: string, create: () => string): Promise<string>;
  /** Forgets idempotency keys older than this. */
  forgetIdempotencyKeys(beforeMs: number): Promise<void>;
  /**
   * One piece of forgetting the tasks that ended before a time, with their device updates and claims. A task is unseen
   * from the moment its first row goes; what a kill leaves of it goes first at the next call, whatever the time asked.
   * Kept are open tasks, and those that a kept task re-initiates: newer ones go first. At least a day must have passed:
   * idempotency keys are kept as long. Nothing is removed while the database can't keep up.
   */
  forgetTasks(piece: {
    readonly endedBeforeMs: number;
    readonly atMs: number;
    /** Device updates and tasks of this piece. */
    readonly rowsMax: number;
  }): Promise<Forgotten>;
  /** When the last nightly run of forgetting began that has finished. */
  lastRetention(): Promise<number | undefined>;
  retentionFinished(begunAtMs: number): Promise<void>;
  /** What `forgetTasks` would remove, called until there is no more. */
  countForgettable(endedBeforeMs: number): Promise<Omit<Forgotten, 'more'>>;
  /** Throws if the database can't be read, or its last write has failed and can't be made up for. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
