/**
 * Every refusal that a person or a program can meet, by its stable code. The API's table (api/problem.ts) gives each
 * its HTTP status; the text says what is wrong, which rule it breaks, and what to do.
 */
export const ErrorCode = {
  INVALID_REQUEST: 'invalid-request',
  UNAUTHORIZED: 'unauthorized',
  FORBIDDEN: 'forbidden',
  NOT_FOUND: 'not-found',
  PRODUCT_EXISTS: 'product-exists',
  PRODUCT_IN_USE: 'product-in-use',
  DEVICE_EXISTS: 'device-exists',
  DEVICE_IN_USE: 'device-in-use',
  FIRMWARE_NAME_INVALID: 'firmware-name-invalid',
  FIRMWARE_TOO_LARGE: 'firmware-too-large',
  FIRMWARE_EMPTY: 'firmware-empty',
  FIRMWARE_QUOTA_EXCEEDED: 'firmware-quota-exceeded',
  FIRMWARE_VERSION_EXISTS: 'firmware-version-exists',
  FIRMWARE_IN_USE: 'firmware-in-use',
  FIRMWARE_SIGNATURE_INVALID: 'firmware-signature-invalid',
  TRUST_UNDECIDED: 'trust-undecided',
  FIRMWARE_DELETED: 'firmware-deleted',
  FIRMWARE_NOT_VERIFIED: 'firmware-not-verified',
  FIRMWARE_NOT_PROVEN: 'firmware-not-proven',
  UPDATE_TASK_CONFLICT: 'update-task-conflict',
  DOWNGRADE_NOT_ALLOWED: 'downgrade-not-allowed',
  DEVICES_INVALID: 'devices-invalid',
  NO_TARGET_DEVICES: 'no-target-devices',
  TASK_NOT_OPEN: 'task-not-open',
  TASK_NOT_ENDED: 'task-not-ended',
  NOT_A_VERIFICATION: 'not-a-verification',
  VERIFICATION_REACHED_NOBODY: 'verification-reached-nobody',
  BATCH_TOO_LARGE: 'batch-too-large',
  NOTHING_TO_REINITIATE: 'nothing-to-reinitiate',
  DEVICE_UPDATE_ENDED: 'device-update-ended',
  TASK_NOT_AWAITING_APPROVAL: 'task-not-awaiting-approval',
  SECOND_OPERATOR_REQUIRED: 'second-operator-required',
  TOKEN_EXISTS: 'token-exists',
  TOO_MANY_REQUESTS: 'too-many-requests',
  IDEMPOTENCY_KEY_REUSED: 'idempotency-key-reused',
  REGISTRATION_CHANGED: 'registration-changed',
  METHOD_NOT_ALLOWED: 'method-not-allowed',
  UNSUPPORTED_MEDIA_TYPE: 'unsupported-media-type',
  REQUEST_TOO_LARGE: 'request-too-large',
  FIRMWARE_FILE_DAMAGED: 'firmware-file-damaged',
  STORAGE_UNAVAILABLE: 'storage-unavailable',
  WORKFLOW_ENGINE_AWAY: 'workflow-engine-away',
  INTERNAL: 'internal', // a fault of the service, not of the request
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** One field of a request that breaks a rule. */
export interface FieldProblem {
  /** Where: a dotted path such as `policy.stallTimeoutMs`, or a header or query parameter's name. */
  readonly field: string;
  /** The rule and the remedy, as a sentence. */
  readonly message: string;
}

/** A refusal. Its message is written for the client: it never carries internals or secrets. */
export class FerryError extends Error {
  override readonly name = 'FerryError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Extra members of the problem document, such as `conflicts` or `errors`; plain JSON. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** A request whose field breaks a rule (`invalid-request`). */
export const invalidField = (field: string, message: string): FerryError =>
  new FerryError('invalid-request', `${field}: ${message}`, { errors: [{ field, message }] satisfies FieldProblem[] });

/** Ids come from outside, and may be as long as a request line; what exists is told in fewer characters. */
const WHAT_CHARACTERS_MAX = 240;

export const notFound = (what: string): FerryError =>
  new FerryError('not-found', `${what.slice(0, WHAT_CHARACTERS_MAX)} does not exist.`);

/** The refusal of a write for which the disk has no room, or which it does not allow. */
export const storageUnavailable = (reason: string): FerryError =>
  new FerryError(
    'storage-unavailable',
    `Nothing of this request is kept, since the disk can't be written (${reason}). Free space in the data folder and try again; Ferry goes on by itself.`,
  );

/** The refusal of a write for which another program has locked the database for too long. */
export const storageLocked = (): FerryError =>
  new FerryError(
    'storage-unavailable',
    'Nothing of this request is kept, since another program holds the database locked, such as a sqlite3 shell or a copier. End that program and try again; Ferry goes on by itself.',
  );

/** A rebuild does not know whether the firmware of a product must be signed, and by whom. */
export const trustUndecided = (productKey: string): FerryError =>
  new FerryError(
    'trust-undecided',
    `Product ${productKey} was rebuilt, and nobody has decided yet whose firmware it takes. Set its keys by "ferry product trust ${productKey} FILE", or say that it takes any firmware by "ferry product trust ${productKey} --any"; over HTTP: PUT /v1/products/${productKey}/trusted-keys, with no keys for any firmware.`,
  );
