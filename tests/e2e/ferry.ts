import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { up, type Running } from '../../worker/up.js';
import { serviceEnvironment } from '../support/service-environment.js';

export type Json = Record<string, unknown>;
export interface Answer<T = Json> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

/** The whole service on free ports and a data folder of its own, as `npm start` runs it. */
export class Ferry {
  private constructor(
    readonly folder: string,
    private running: Running,
    private readonly env: Record<string, string>,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<Ferry> {
    return Ferry.startOn(await mkdtemp(join(tmpdir(), 'ferry-e2e-')), env);
  }

  /** On a data folder that is there already; `stop` deletes it all the same. */
  static async startOn(folder: string, env: Record<string, string> = {}): Promise<Ferry> {
    const whole = { FERRY_LOG_LEVEL: 'fatal', ...env };
    return new Ferry(folder, await up(serviceEnvironment(folder, whole)), whole);
  }

  get url(): string {
    return this.running.httpUrl;
  }
  get mqttUrl(): string {
    return this.running.mqttUrl;
  }
  get adminToken(): string {
    return this.running.adminToken;
  }
  get temporalAddress(): string {
    return this.running.temporalAddress;
  }

  async restart(): Promise<void> {
    await this.pause();
    await this.resume();
  }

  /** Stops the service; its folder stays. */
  async pause(): Promise<void> {
    await this.running.stop();
  }

  async resume(): Promise<void> {
    this.running = await up(serviceEnvironment(this.folder, this.env));
  }

  /** The same, at the address that browsers know. */
  async again(): Promise<void> {
    const { port } = new URL(this.url);
    this.running = await up(serviceEnvironment(this.folder, { ...this.env, FERRY_HTTP_PORT: port }));
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async call<T = Json>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: {
        authorization: `Bearer ${this.running.adminToken}`,
        ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || body instanceof FormData ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as T };
  }
  get<T = Json>(path: string): Promise<Answer<T>> {
    return this.call<T>('GET', path);
  }
  post<T = Json>(path: string, body: unknown = {}): Promise<Answer<T>> {
    return this.call<T>('POST', path, body);
  }

  async addFirmware(
    productKey: string,
    name: string,
    version: string,
    bytes: Uint8Array = Buffer.from(`firmware ${version}`),
  ) {
    const form = new FormData();
    for (const [field, value] of Object.entries({ name, productKey, version })) form.set(field, value);
    form.set('file', new Blob([Buffer.from(bytes)]), `${name}.bin`);
    return this.call<{ id: string; status: string; code?: string; detail?: string }>('POST', '/v1/firmware', form);
  }

  /** Polls the API, as an operator's script would, until the answer is as wanted. */
  async until<T = Json>(path: string, wanted: (body: T) => boolean): Promise<T> {
    const stream = new AbortController();
    try {
      const first = (await this.get<T>(path)).body;
      if (wanted(first)) return first;
      for await (const _change of this.changes(path, stream.signal)) {
        const { body } = await this.get<T>(path);
        if (wanted(body)) return body;
      }
      throw new Error(`The event stream ended while waiting for ${path}`);
    } finally {
      stream.abort();
    }
  }

  /**
   * A tick for every piece of the live stream, its heartbeats included; one at the start. A task's own stream tells of its
   * devices too, what of them changes no count of the task.
   */
  private async *changes(path: string, signal: AbortSignal): AsyncGenerator<void> {
    const [task] = /^\/v1\/tasks\/[^/?]+/.exec(path) ?? [];
    const response = await fetch(new URL(`${task ?? '/v1'}/events`, this.url), {
      headers: { authorization: `Bearer ${this.running.adminToken}` },
      signal,
    });
    yield;
    for await (const _piece of response.body ?? []) yield;
  }
}
