import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createApi, type Api } from '../../api/api.js';
import type { ApiDeps } from '../../api/deps.js';
import { createDownloadHandler } from '../../api/downloads.js';
import { closeHttpServer, createHttpServer, type HttpServer } from '../../api/http-server.js';
import { createDownloadTokens, type DownloadTokens } from '../../firmware/download-token.js';
import { openLocalStore } from '../../firmware/local-store.js';
import { notFound } from '../../domain/errors.js';
import { DEFAULT_FIRMWARE_LIMITS } from '../../domain/policy.js';
import { initialState, notified, failed, succeeded, type DeviceUpdateState } from '../../domain/device-update.js';
import type { FailureCause } from '../../domain/causes.js';
import type { Records } from '../../records/records.js';
import { openTestRecords, type TestRecords } from '../support/records.js';

export const TOKEN = 'the-admin-token-of-this-test';
export const PRODUCT = 'lamps';

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}
export interface ProblemBody {
  code: string;
  detail: string;
  errors?: { field: string; message: string }[];
  [member: string]: unknown;
}

/** The API over real records and a real store; the engine is a list of what it was told. */
export class World {
  url = '';
  private server: HttpServer | undefined;
  private listening = 0;

  private constructor(
    public api: Api,
    readonly records: Records,
    readonly filesFolder: string,
    readonly tokens: DownloadTokens,
    /** Tasks of which the engine was to be told. */
    readonly delivered: string[],
    private readonly deps: ApiDeps,
    private readonly clean: () => Promise<void>,
  ) {
    const onChange = records.onChange.bind(records);
    records.onChange = (listener) => {
      this.listening++;
      const stop = onChange(listener);
      return () => {
        this.listening--;
        stop();
      };
    };
  }

  static async open(overrides: Partial<ApiDeps> = {}): Promise<World> {
    const own = overrides.records ? undefined : await openTestRecords();
    const records = overrides.records ?? (own as TestRecords).records;
    const close = async () => own?.close();
    const filesFolder = await mkdtemp(join(tmpdir(), 'ferry-files-'));
    const delivered: string[] = [];
    const deps: ApiDeps = {
      records,
      store: await openLocalStore(filesFolder),
      deliver: (taskId) => {
        delivered.push(taskId);
        return Promise.resolve();
      },
      workflowHistory: () => Promise.reject(notFound('The history')),
      examine: () => Promise.reject(notFound('The doctor')),
      forget: () => Promise.reject(notFound('Retention')),
      mqttAddress: () => ({ host: 'mqtt.test', port: 1883, tlsPort: 8883, clientCertificates: false }),
      cutOff: async () => undefined,
      approvalAbove: null,
      adminToken: TOKEN,
      limits: DEFAULT_FIRMWARE_LIMITS,
      temporalUi: { url: 'http://ui.test', namespace: 'default' },
      readiness: { database: () => records.ping() },
      metrics: new Registry(),
      version: '1.2.3',
      log: pino({ level: 'silent' }),
      ...overrides,
    };
    const tokens = createDownloadTokens('key');
    return new World(createApi(deps), records, filesFolder, tokens, delivered, deps, async () => {
      await close();
      await rm(filesFolder, { recursive: true, force: true });
    });
  }

  async close(): Promise<void> {
    this.api.closeStreams();
    if (this.server) await closeHttpServer(this.server, 1_000);
    await this.clean();
  }

  /** Listens on a free port of the loopback, or on the one given. */
  async listen(atPort = 0): Promise<{ readonly url: string; readonly port: number }> {
    const { records, store, log, httpLimits } = this.deps;
    const downloads = createDownloadHandler({ records, store, log, tokens: this.tokens, measure: this.api.measure });
    this.server = createHttpServer({ api: this.api, downloads, log, ...(httpLimits && { limits: httpLimits }) });
    this.server.listen(atPort, '127.0.0.1');
    await once(this.server, 'listening');
    const { port } = this.server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    return { url: this.url, port };
  }

  /** Another server over the same records, at the same port. */
  async restart(): Promise<void> {
    this.api.closeStreams();
    if (this.server) await closeHttpServer(this.server, 1_000);
    this.api = createApi({ ...this.deps, metrics: new Registry() });
    await this.listen(Number(new URL(this.url).port));
  }

  /** Streams that listen for changes of the records now. */
  listeners(): number {
    return this.listening;
  }
  async untilListeners(wanted: number): Promise<void> {
    while (this.listening !== wanted) await new Promise((resolve) => setImmediate(resolve));
  }

  request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${TOKEN}`);
    return Promise.resolve(this.api.app.request(path, { ...init, headers }));
  }
  async call<T = Record<string, unknown>>(method: string, path: string, json?: unknown): Promise<Answer<T>> {
    return this.send(method, path, {
      ...(json !== undefined && { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }),
    });
  }
  async send<T = Record<string, unknown>>(method: string, path: string, init: RequestInit): Promise<Answer<T>> {
    const response = await this.request(path, { ...init, method });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as T };
  }
  get<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.call('GET', path);
  }
  post<T = Record<string, unknown>>(path: string, json?: unknown): Promise<Answer<T>> {
    return this.call('POST', path, json);
  }

  upload<T = Record<string, unknown>>(
    fields: Record<string, string>,
    file: Uint8Array = Buffer.from('firmware'),
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return this.send('POST', '/v1/firmware', { body: firmwareForm(fields, file), headers });
  }

  /** A product with devices on 1.0.0. */
  async product(deviceNames: readonly string[] = ['lamp-1', 'lamp-2', 'lamp-3']): Promise<void> {
    await this.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
    await this.post(`/v1/products/${PRODUCT}/devices`, { devices: deviceNames.map((deviceName) => ({ deviceName })) });
    for (const deviceName of deviceNames) await this.runs(deviceName, '1.0.0');
  }
  async runs(deviceName: string, version: string): Promise<void> {
    const key = { productKey: PRODUCT, deviceName };
    await this.records.versionReported(key, { module: 'default', version, atMs: Date.now() });
  }
  /** Adds a firmware of that version. */
  async firmware(version = '2.0.0', content = `firmware ${version}`): Promise<string> {
    const { body } = await this.upload<{ id: string }>(
      { name: 'lamp', productKey: PRODUCT, version },
      Buffer.from(content),
    );
    return body.id;
  }
  /** @param outcome of the device that it was verified on */
  async verifiedFirmware(version = '2.0.0', outcome: 'succeeded' | 'failed' = 'succeeded'): Promise<string> {
    const id = await this.firmware(version);
    const { body } = await this.post<{ id: string }>(`/v1/firmware/${id}/verifications`, { deviceNames: ['lamp-1'] });
    const nowMs = Date.now();
    if (outcome === 'succeeded') await this.succeed(body.id, 'lamp-1');
    else await this.record(body.id, 'lamp-1', failed(notified(initialState(nowMs), nowMs), 'update-failed', nowMs));
    await this.records.taskEnded(body.id, 'completed', Date.now());
    return id;
  }
  /** A running batch of all devices on 1.0.0. */
  async batch(version = '2.0.0'): Promise<string> {
    const firmwareId = await this.verifiedFirmware(version);
    const { body } = await this.post<{ id: string }>(`/v1/firmware/${firmwareId}/batch-updates`, {
      sourceVersions: ['1.0.0'],
    });
    await this.records.taskBegun(body.id, 'run-1', Date.now());
    return body.id;
  }

  // What the workflows' activities record.
  private record(taskId: string, deviceName: string, state: DeviceUpdateState) {
    return this.records.recordDeviceUpdate(taskId, { productKey: PRODUCT, deviceName }, state, 'run-2');
  }
  notify(taskId: string, deviceName: string) {
    return this.record(taskId, deviceName, notified(initialState(Date.now()), Date.now()));
  }
  fail(taskId: string, deviceName: string, cause: FailureCause, addition?: string) {
    return this.record(taskId, deviceName, failed(initialState(Date.now()), cause, Date.now(), addition));
  }
  succeed(taskId: string, deviceName: string) {
    return this.record(taskId, deviceName, succeeded(initialState(Date.now()), Date.now()));
  }
  end(taskId: string) {
    return this.records.taskEnded(taskId, 'completed', Date.now());
  }

  /** Every file in the firmware store. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.filesFolder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }
}

export function firmwareForm(fields: Record<string, string>, file: Uint8Array): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([Buffer.from(file)]), 'firmware.bin');
  return form;
}
