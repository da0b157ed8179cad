import { FerryError, invalidField } from './errors.js';

/** The limits that the seed sets; defaults of the config, never constants elsewhere [seed: add]. */
export interface FirmwareLimits {
  readonly nameCharactersMax: number;
  readonly fileBytesMax: number;
  /** Firmware that were ever added: deleted ones are counted. */
  readonly firmwareMax: number;
}

export const DEFAULT_FIRMWARE_LIMITS: FirmwareLimits = {
  nameCharactersMax: 32,
  fileBytesMax: 10 * 1024 * 1024,
  firmwareMax: 100,
};

/** @param used firmware that were ever added: more than `firmwareMax` where the limit was lowered since */
export const quotaExceeded = (used: number, firmwareMax: number): FerryError =>
  new FerryError(
    'firmware-quota-exceeded',
    `${used} firmware were added, deleted ones counted, and ${firmwareMax} may be: no more can be added. ` +
      'FERRY_FIRMWARE_MAX of the service sets that limit.',
    { firmwareMax },
  );

/** "A small number of devices is tried first" [seed: validate]. */
export const VERIFICATION_DEVICES_MAX = 100;

/** How long each wait of a device update lasts. It travels in the workflow's input, so that a replay keeps it. */
export interface UpdatePolicy {
  /** From the start of the device update: how long an offline device is waited for. */
  readonly offlineTimeoutMs: number;
  /** After a notification: how long a device that is online may stay silent; doubled at each resend. */
  readonly responseTimeoutMs: number;
  /** Notifications to a silent device before it counts as failed, the first one included. */
  readonly notificationsMax: number;
  /** While upgrading: how long without any progress report. */
  readonly stallTimeoutMs: number;
  /** After step 100: how long until the target version must be reported. */
  readonly confirmationTimeoutMs: number;
  /**
   * In mid-update: how long a device that left is waited for, within the overall time; 0 is not at all. While it is
   * away, neither the stall time nor the confirmation time ends the update.
   */
  readonly offlineMidUpdateMs: number;
  /** From the first progress to the end. */
  readonly overallTimeoutMs: number;
  /** After the target version was reported: how long the device must go on running it to succeed; 0 is not at all. */
  readonly soakMs: number;
  /** A device that reconnects in mid-update has this long to go on by itself before it is notified again. */
  readonly reconnectGraceMs: number;
  /** Also update devices that run a newer version than the firmware's. */
  readonly allowDowngrade: boolean;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const BATCH_POLICY: UpdatePolicy = {
  offlineTimeoutMs: 7 * DAY_MS,
  responseTimeoutMs: 5 * MINUTE_MS,
  notificationsMax: 3,
  stallTimeoutMs: 30 * MINUTE_MS,
  confirmationTimeoutMs: 15 * MINUTE_MS,
  offlineMidUpdateMs: 24 * HOUR_MS,
  overallTimeoutMs: 24 * HOUR_MS,
  soakMs: 0,
  reconnectGraceMs: 15 * SECOND_MS,
  allowDowngrade: false,
};

export const DEFAULT_POLICY = {
  batch: BATCH_POLICY,
  verification: { ...BATCH_POLICY, offlineTimeoutMs: HOUR_MS },
} as const satisfies Record<string, UpdatePolicy>;

/** Inclusive bounds of each number of a policy: the API's schema and `resolvePolicy` read them from here. */
export const POLICY_BOUNDS = {
  offlineTimeoutMs: { min: SECOND_MS, max: 366 * DAY_MS },
  responseTimeoutMs: { min: SECOND_MS, max: 7 * DAY_MS },
  notificationsMax: { min: 1, max: 20 },
  stallTimeoutMs: { min: SECOND_MS, max: 30 * DAY_MS },
  confirmationTimeoutMs: { min: SECOND_MS, max: 30 * DAY_MS },
  offlineMidUpdateMs: { min: 0, max: 90 * DAY_MS },
  overallTimeoutMs: { min: SECOND_MS, max: 90 * DAY_MS },
  soakMs: { min: 0, max: 30 * DAY_MS },
  reconnectGraceMs: { min: 0, max: HOUR_MS },
} as const satisfies Partial<Record<keyof UpdatePolicy, { min: number; max: number }>>;

/**
 * The whole policy of a task: what the operator set, over the defaults of its kind.
 *
 * @throws FerryError `invalid-request` naming the field and its bounds
 */
export function resolvePolicy(kind: keyof typeof DEFAULT_POLICY, set: Partial<UpdatePolicy> = {}): UpdatePolicy {
  const given = Object.fromEntries(Object.entries<unknown>(set).filter(([, value]) => value !== undefined));
  const policy: UpdatePolicy = { ...DEFAULT_POLICY[kind], ...given };
  for (const [field, { min, max }] of Object.entries(POLICY_BOUNDS)) {
    const value = policy[field as keyof typeof POLICY_BOUNDS];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw invalidField(`policy.${field}`, `must be a whole number from ${min} to ${max}`);
    }
  }
  return policy;
}

/** A policy as it was stored or sent to a run: those of older releases lack what came later. */
export type StoredPolicy = Omit<UpdatePolicy, Later> & Partial<Pick<UpdatePolicy, Later>>;
type Later = 'soakMs' | 'offlineMidUpdateMs';

/** What a policy lacks has the meaning that it had before there was a word for it. */
export const wholePolicy = (stored: StoredPolicy): UpdatePolicy => ({
  ...stored,
  soakMs: stored.soakMs ?? 0,
  offlineMidUpdateMs: stored.offlineMidUpdateMs ?? 0,
});

/** A task that nobody has approved by then counts as rejected. */
export const APPROVAL_TIMEOUT_MS = 30 * DAY_MS;

/** Devices of a shard, from some to as many as keep its history below 2,000 events and 2 MB (docs/performance.md, 2). */
const SHARD_DEVICES = { least: 200, most: 500 } as const;
/** Shards of a batch, while they can be this few: each is some 13 events in the batch's own history. */
const SHARDS_WANTED = 200;

/** Temporal lets a run have so many open child runs; the next one fails its workflow task again and again. */
const OPEN_SHARDS_MAX = 2_000;

/** Devices of one batch: a shard with one offline device stays open for its whole offline time. */
export const BATCH_DEVICES_MAX = OPEN_SHARDS_MAX * SHARD_DEVICES.most;

/** How many devices each shard of a batch has: its run starts them at a pace and follows them [design: workflows]. */
export const shardDevices = (devicesTotal: number): number =>
  Math.min(SHARD_DEVICES.most, Math.max(SHARD_DEVICES.least, Math.ceil(devicesTotal / SHARDS_WANTED)));
/**
 * Events after which a device's run goes on under a new run, long before Temporal ends it for their number (51,200): a
 * wake-up costs it 14, a look at its time limit 6.
 */
export const DEVICE_RUN_EVENTS_MAX = 4_000;
/** Child starts that a shard has under way, not yet confirmed by the server, at once. */
export const UNCONFIRMED_STARTS_MAX = 40;
