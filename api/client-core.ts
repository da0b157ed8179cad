import type { FailureCause } from '../domain/causes.js';
import type { DeviceUpdateStatus } from '../domain/device-update.js';
import type { FieldProblem } from '../domain/errors.js';
import { followEvents, piecesOf, type ApiEvent, type FollowOptions } from './client-events.js';
import type {
  CreateBatchUpdateRequest,
  BatchRulesRequest,
  CreateProductRequest,
  CreateTokenRequest,
  CreateVerificationRequest,
  DecideRequest,
  NewDeviceRequest,
  PageParams,
  ReinitiateRequest,
  SignInRequest,
} from './requests.js';
import type {
  AuditArchivedAnswer,
  AuditEntryAnswer,
  AuditVerificationAnswer,
  BatchPreviewAnswer,
  ConnectionInfoAnswer,
  DeviceAnswer,
  DeviceDetailAnswer,
  DeviceHistoryEntryAnswer,
  DeviceUpdateAnswer,
  DoctorAnswer,
  ForgettingAnswer,
  FirmwareAnswer,
  FirmwareDetailAnswer,
  FirmwarePageAnswer,
  NewTokenAnswer,
  OverviewAnswer,
  PageAnswer,
  Problem,
  ProductAnswer,
  ReadinessAnswer,
  RegisteredDeviceAnswer,
  RegisteredDevicesAnswer,
  SessionAnswer,
  TaskAnswer,
  TaskDetailAnswer,
  TimelineAnswer,
  TokenAnswer,
  VersionsAnswer,
} from './schemas.js';
import { ApiUnreachableError, noAnswer, notFerry, redirected } from './unreachable.js';

export { ApiUnreachableError } from './unreachable.js';

export interface ClientCoreOptions {
  /** Where the API listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** With every request: what says who is asking. A browser's session cookie goes by itself. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long a request may take, its answer included; streams and exports have no limit. Absent: none has. */
  readonly timeoutMs?: number;
}

/** A refusal of the API: its stable code, its sentence, and the problem document's other members. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
    /** The server asks to be left alone for so long. */
    readonly retryAfterMs?: number,
  ) {
    super(problem.detail ?? `The server answered ${status}.`);
  }
  get code(): string {
    return this.problem.code ?? 'unknown';
  }
  get detail(): string {
    return this.message;
  }
  /** The fields that break a rule; empty when the problem is of another kind. */
  get errors(): readonly FieldProblem[] {
    return this.problem.errors ?? [];
  }
}

/** A stream was asked to go on after an event that the service doesn't know: its data folder is another one. */
export const isOfTheFuture = (error: unknown): boolean =>
  error instanceof ApiError && error.errors.some(({ field }) => field === 'Last-Event-ID');

/** A body that is read while it is sent. */
export interface StreamedBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** Why it could not be read to its end; undefined as long as it could. */
  readonly failure: () => Error | undefined;
  /** It is not read any more. */
  readonly close: () => Promise<void>;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
export interface Call {
  readonly query?: Query;
  readonly json?: unknown;
  readonly body?: string | StreamedBody;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
  /** The media type of Ferry's answer: another one comes from another server. */
  readonly expects?: 'application/json' | 'text/csv' | 'text/event-stream';
  readonly timeout?: AbortSignal | undefined;
}
/** Repeats of a creation with the same key answer what the first one created. */
export interface CreationOptions {
  readonly idempotencyKey?: string;
}

export interface DeviceQuery extends PageParams {
  version?: string;
  module?: string;
  online?: boolean;
  search?: string;
}
export interface TaskQuery extends PageParams {
  firmwareId?: string;
  productKey?: string;
  kind?: 'verification' | 'batch';
  status?: TaskAnswer['status'];
}
export interface AuditQuery {
  actor?: string | undefined;
  action?: string | undefined;
  target?: string | undefined;
  productKey?: string | undefined;
}
export interface DeviceUpdateQuery extends PageParams {
  status?: DeviceUpdateStatus;
  outcome?: 'succeeded' | 'failed';
  cause?: FailureCause;
  search?: string;
}

export type ClientCore = ReturnType<typeof createClientCore>;

/**
 * Ferry's HTTP API as methods, for Node and browsers alike: all but the upload of a file, which each does in its way.
 *
 * @throws ApiError (each method) for a refusal, ApiUnreachableError when there is no answer
 */
export function createClientCore({ url, headers, timeoutMs }: ClientCoreOptions) {
  const base = url.endsWith('/') ? url : `${url}/`;

  async function send(method: string, path: string, call: Call = {}): Promise<Response> {
    try {
      return await answerTo(method, path, call);
    } finally {
      await streamedBody(call)?.close();
    }
  }

  async function answerTo(method: string, path: string, call: Call): Promise<Response> {
    const streamed = streamedBody(call);
    const target = new URL(path, base);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const response = await fetch(target, {
      method,
      redirect: 'manual',
      signal: AbortSignal.any([call.signal, call.timeout].filter((signal) => signal !== undefined)),
      headers: {
        ...headers,
        ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...call.headers,
      },
      body: bodyOf(call),
      // A streamed body is sent while the answer may already come.
      ...(streamed ? { duplex: 'half' } : {}),
    }).catch((error: unknown) => {
      if (call.signal?.aborted === true) throw error;
      const unread = streamed?.failure();
      if (unread) throw unread;
      throw noAnswer(target, error);
    });
    const redirect = redirected(target, response);
    if (redirect) throw redirect;
    if (!response.ok) throw new ApiError(response.status, await problemOf(response), retryAfterMsOf(response));
    const mediaType = (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim() ?? '';
    if (call.expects !== undefined && mediaType !== call.expects) {
      await response.body?.cancel();
      throw notFerry(target, `it sends ${mediaType || 'no media type'} in place of ${call.expects}`);
    }
    return response;
  }
  async function call<T>(method: string, path: string, options: Call = {}): Promise<T> {
    const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const response = await send(method, path, { expects: 'application/json', ...options, timeout });
    const value: unknown = await response.json().catch((error: unknown) => {
      if (timeout?.aborted !== true) return undefined;
      throw new ApiUnreachableError(`The answer from ${base} broke off.`, { cause: error });
    });
    if (typeof value !== 'object' || value === null) throw notFerry(new URL(base), 'its answer is no JSON object');
    return value as T;
  }
  /** A page of a list, or what has one. */
  async function page<T extends { readonly items: readonly unknown[] }>(
    method: string,
    path: string,
    options: Call = {},
  ): Promise<T> {
    const found = await call<Partial<T>>(method, path, options);
    if (!Array.isArray(found.items)) throw notFerry(new URL(base), 'its answer has no list of items');
    return found as T;
  }
  const stream = (path: string, headers: Record<string, string>, signal: AbortSignal | undefined) =>
    send('GET', path, { headers, signal, expects: 'text/event-stream' });

  const product = (productKey: string) => `v1/products/${encodeURIComponent(productKey)}`;
  const firmware = (id: string) => `v1/firmware/${encodeURIComponent(id)}`;
  const task = (id: string) => `v1/tasks/${encodeURIComponent(id)}`;
  const created = ({ idempotencyKey }: CreationOptions): Record<string, string> =>
    idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };

  return {
    send,
    /** The session cookie of a browser, for a token or the secret of a sign-in link. */
    signIn: (json: SignInRequest) => call<SessionAnswer>('POST', 'v1/session', { json }),
    getSession: () => call<SessionAnswer>('GET', 'v1/session'),
    signOut: async () => {
      await send('DELETE', 'v1/session');
    },

    createProduct: (json: CreateProductRequest, options: CreationOptions = {}) =>
      call<ProductAnswer>('POST', 'v1/products', { json, headers: created(options) }),
    getProduct: (productKey: string) => call<ProductAnswer>('GET', product(productKey)),
    renameProduct: (productKey: string, name: string) =>
      call<ProductAnswer>('PATCH', product(productKey), { json: { name } }),
    /** How many devices must have succeeded in verifications of a firmware before a batch of it. */
    setBatchRules: (productKey: string, json: BatchRulesRequest) =>
      call<ProductAnswer>('PUT', `${product(productKey)}/batch-rules`, { json }),
    /** Answers the product as it was. */
    deleteProduct: (productKey: string) => call<ProductAnswer>('DELETE', product(productKey)),
    /** What runs on the devices of a product, most devices first. */
    listVersions: (productKey: string, query: PageParams & { module?: string } = {}) =>
      call<VersionsAnswer>('GET', `${product(productKey)}/versions`, { query: { ...query } }),
    /** Where devices connect. */
    getConnectionInfo: () => call<ConnectionInfoAnswer>('GET', 'v1/connection-info'),
    getOverview: () => call<OverviewAnswer>('GET', 'v1/overview'),
    listProducts: (query: PageParams = {}) =>
      page<PageAnswer<ProductAnswer>>('GET', 'v1/products', { query: { ...query } }),

    registerDevices: (productKey: string, devices: readonly NewDeviceRequest[], options: CreationOptions = {}) =>
      call<RegisteredDevicesAnswer>('POST', `${product(productKey)}/devices`, {
        json: { devices },
        headers: created(options),
      }),
    /** @param csv with the header `deviceName[,deviceSecret][,protocol]` */
    registerDevicesCsv: (productKey: string, csv: string, options: CreationOptions = {}) =>
      call<RegisteredDevicesAnswer>('POST', `${product(productKey)}/devices`, {
        body: csv,
        headers: { 'content-type': 'text/csv', ...created(options) },
      }),
    listDevices: (productKey: string, query: DeviceQuery = {}) =>
      page<PageAnswer<DeviceAnswer>>('GET', `${product(productKey)}/devices`, { query: { ...query } }),
    getDevice: (productKey: string, deviceName: string) =>
      call<DeviceDetailAnswer>('GET', `${product(productKey)}/devices/${encodeURIComponent(deviceName)}`),
    listDeviceHistory: (productKey: string, deviceName: string, query: PageParams = {}) =>
      page<PageAnswer<DeviceHistoryEntryAnswer>>(
        'GET',
        `${product(productKey)}/devices/${encodeURIComponent(deviceName)}/updates`,
        { query: { ...query } },
      ),

    listFirmware: (query: PageParams & { productKey?: string } = {}) =>
      page<FirmwarePageAnswer>('GET', 'v1/firmware', { query: { ...query } }),
    getFirmware: (id: string) => call<FirmwareDetailAnswer>('GET', firmware(id)),
    deleteFirmware: (id: string) => call<FirmwareAnswer>('DELETE', firmware(id)),

    createVerification: (firmwareId: string, json: CreateVerificationRequest, options: CreationOptions = {}) =>
      call<TaskAnswer>('POST', `${firmware(firmwareId)}/verifications`, { json, headers: created(options) }),
    createBatchUpdate: (firmwareId: string, json: CreateBatchUpdateRequest, options: CreationOptions = {}) =>
      call<TaskAnswer>('POST', `${firmware(firmwareId)}/batch-updates`, { json, headers: created(options) }),
    /** What the batch would meet if it was created now; creates nothing. */
    previewBatchUpdate: (firmwareId: string, json: CreateBatchUpdateRequest, signal?: AbortSignal) =>
      call<BatchPreviewAnswer>('POST', `${firmware(firmwareId)}/batch-updates/preview`, { json, signal }),

    /** The stored file, piece by piece. */
    firmwareFile: (firmwareId: string) => bytesOf(send('GET', `${firmware(firmwareId)}/file`, {})),

    listTasks: (query: TaskQuery = {}) => page<PageAnswer<TaskAnswer>>('GET', 'v1/tasks', { query: { ...query } }),
    /** Device updates that ended, over time. */
    getTimeline: (taskId: string, query: { points?: number; minutes?: number } = {}) =>
      call<TimelineAnswer>('GET', `${task(taskId)}/timeline`, { query }),
    getTask: (id: string) => call<TaskDetailAnswer>('GET', task(id)),
    listDeviceUpdates: (taskId: string, query: DeviceUpdateQuery = {}) =>
      page<PageAnswer<DeviceUpdateAnswer>>('GET', `${task(taskId)}/devices`, { query: { ...query } }),
    /** The device updates as CSV, piece by piece. */
    deviceUpdatesCsv: (taskId: string, query: Omit<DeviceUpdateQuery, keyof PageParams> = {}) =>
      textOf(send('GET', `${task(taskId)}/devices.csv`, { query: { ...query }, expects: 'text/csv' })),
    reinitiate: (taskId: string, json: ReinitiateRequest = {}, options: CreationOptions = {}) =>
      call<TaskAnswer>('POST', `${task(taskId)}/reinitiate`, { json, headers: created(options) }),
    cancelTask: (taskId: string) => call<TaskAnswer>('POST', `${task(taskId)}/cancel`),
    endVerification: (taskId: string) => call<TaskAnswer>('POST', `${task(taskId)}/end`),
    cancelDeviceUpdate: (taskId: string, deviceName: string) =>
      call<DeviceUpdateAnswer>('POST', `${task(taskId)}/devices/${encodeURIComponent(deviceName)}/cancel`),

    /** The task now and at every change, with its device updates as they change; reconnects by itself until aborted. */
    taskEvents: (taskId: string, options: FollowOptions = {}): AsyncGenerator<ApiEvent> =>
      followEvents((headers, signal) => stream(`${task(taskId)}/events`, headers, signal), options),
    /** Every task at every change; reconnects by itself until aborted. */
    events: (options: FollowOptions = {}): AsyncGenerator<ApiEvent> =>
      followEvents((headers, signal) => stream('v1/events', headers, signal), options),

    /** A run's history, in Temporal's JSON; of the newest run if `runId` is absent. */
    workflowHistory: (workflowId: string, runId?: string) =>
      call<unknown>('GET', 'v1/workflow-history', { query: { workflowId, runId } }),

    approveTask: (taskId: string, json: DecideRequest = {}) =>
      call<TaskAnswer>('POST', `${task(taskId)}/approve`, { json }),
    rejectTask: (taskId: string, json: DecideRequest = {}) =>
      call<TaskAnswer>('POST', `${task(taskId)}/reject`, { json }),

    /** Beside those that it trusts already. */
    trustKey: (productKey: string, publicKey: string) =>
      call<ProductAnswer>('POST', `${product(productKey)}/trusted-keys`, { json: { publicKey } }),
    /** In place of all that it trusts; none: it takes any firmware. */
    setTrustedKeys: (productKey: string, publicKeys: readonly string[]) =>
      call<ProductAnswer>('PUT', `${product(productKey)}/trusted-keys`, { json: { publicKeys } }),
    untrustKey: (productKey: string, keyId: string) =>
      call<ProductAnswer>('DELETE', `${product(productKey)}/trusted-keys/${encodeURIComponent(keyId)}`),
    /** Another secret; generated if none is given. The device is cut off. */
    rotateDeviceSecret: (productKey: string, deviceName: string, deviceSecret?: string) =>
      call<RegisteredDeviceAnswer>('POST', `${product(productKey)}/devices/${encodeURIComponent(deviceName)}/secret`, {
        json: { deviceSecret },
      }),
    revokeDevice: (productKey: string, deviceName: string) =>
      call<DeviceAnswer>('POST', `${product(productKey)}/devices/${encodeURIComponent(deviceName)}/revoke`),
    restoreDevice: (productKey: string, deviceName: string) =>
      call<DeviceAnswer>('POST', `${product(productKey)}/devices/${encodeURIComponent(deviceName)}/restore`),

    /** It signs in by the new name from now on. The device is cut off. */
    renameDevice: (productKey: string, deviceName: string, newName: string) =>
      call<DeviceAnswer>('PATCH', `${product(productKey)}/devices/${encodeURIComponent(deviceName)}`, {
        json: { deviceName: newName },
      }),
    /** Answers the device as it was. */
    deleteDevice: (productKey: string, deviceName: string) =>
      call<DeviceAnswer>('DELETE', `${product(productKey)}/devices/${encodeURIComponent(deviceName)}`),

    createToken: (json: CreateTokenRequest) => call<NewTokenAnswer>('POST', 'v1/tokens', { json }),
    listTokens: (query: PageParams = {}) => page<PageAnswer<TokenAnswer>>('GET', 'v1/tokens', { query: { ...query } }),
    revokeToken: (id: string) => call<TokenAnswer>('DELETE', `v1/tokens/${encodeURIComponent(id)}`),

    listAudit: (query: AuditQuery & PageParams = {}) =>
      page<PageAnswer<AuditEntryAnswer>>('GET', 'v1/audit', { query: { ...query } }),
    verifyAudit: () => call<AuditVerificationAnswer>('GET', 'v1/audit/verification'),
    /** The entries of the audit log that are older than a time, one a line in JSON, piece by piece. */
    auditChain: (before: string) => textOf(send('GET', 'v1/audit/chain', { query: { before } })),
    archiveAudit: (json: { readonly id: number; readonly hash: string }) =>
      call<AuditArchivedAnswer>('POST', 'v1/audit/archive', { json }),
    /** The audit log as CSV, piece by piece. */
    auditCsv: (query: AuditQuery = {}) =>
      textOf(send('GET', 'v1/audit.csv', { query: { ...query }, expects: 'text/csv' })),

    /** What is not as it should be between records, runs, claims and files. */
    examine: (fix: boolean) => call<DoctorAnswer>('POST', 'v1/doctor', { json: { fix } }),

    /** Deletes the records of tasks that ended longer ago, in the background. */
    forget: (olderThanMs: number) => call<ForgettingAnswer>('POST', 'v1/records/forget', { json: { olderThanMs } }),

    /** Which parts of the service are up; it answers also when some are down. */
    async readiness(): Promise<ReadinessAnswer> {
      const response = await fetch(new URL('readyz', base)).catch((error: unknown) => {
        throw noAnswer(new URL(base), error);
      });
      return response.json() as Promise<ReadinessAnswer>;
    },
  };
}

const streamedBody = ({ body }: Call): StreamedBody | undefined => (typeof body === 'object' ? body : undefined);

function bodyOf({ json, body }: Call): string | ReadableStream<Uint8Array> | null {
  if (json !== undefined) return JSON.stringify(json);
  return typeof body === 'object' ? body.stream : (body ?? null);
}

async function* textOf(answer: Promise<Response>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const bytes of piecesOf(await answer)) yield decoder.decode(bytes, { stream: true });
}

async function* bytesOf(answer: Promise<Response>): AsyncGenerator<Uint8Array> {
  yield* piecesOf(await answer);
}

/** No server of ours asks for more; what does may be wrong. */
const RETRY_AFTER_MS_MAX = 10 * 60_000;

/** `Retry-After` is a number of seconds, or a time. */
function retryAfterMsOf({ headers }: Response): number | undefined {
  const value = headers.get('retry-after') ?? '';
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX);
}

/** The problem document of a refusal; empty when it is none. */
export async function problemOf(response: Pick<Response, 'text'>): Promise<Partial<Problem>> {
  const text = await response.text().catch(() => '');
  try {
    return JSON.parse(text) as Partial<Problem>;
  } catch {
    return {};
  }
}

/** Every item of a paged list, page after page. */
export async function* eachItem<T>(list: (page: PageParams) => Promise<PageAnswer<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await list(cursor === undefined ? { limit: 500 } : { limit: 500, cursor });
    yield* page.items;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
