import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApiClient, type ApiClient } from '../../api/client.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { requireFreePort } from '../../worker/ports.js';
import { isAlive } from './processes.js';
import { serviceEnvironment } from './service-environment.js';

const TOKEN = 'a-token-for-tests-only';

/** The ports of a service that is started again and again: devices must find it where it was. */
interface Ports {
  readonly http: number;
  readonly mqtt: number;
  readonly temporal: number;
  readonly temporalUi: number;
}

/** The built command as a process of its own, on one data folder and the same ports at each start: to be killed. */
export class ServiceProcess {
  private child: ChildProcess | undefined;
  /** Where the present process began to write. */
  private outputFrom = 0;
  private ended: Promise<void> = Promise.resolve();
  /** Temporal's processes so far, also those whose service is dead. */
  private readonly temporals = new Set<number>();

  private constructor(
    readonly folder: string,
    private readonly ports: Ports,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** Not started yet. @param folder its data folder, and the folder of its output */
  static async at(folder: string, env: NodeJS.ProcessEnv = {}): Promise<ServiceProcess> {
    const [http, mqtt, temporal, temporalUi] = [await freePort(), await freePort(), await freePort(), await freePort()];
    return new ServiceProcess(folder, { http, mqtt, temporal, temporalUi }, env);
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }
  get mqttUrl(): string {
    return `mqtt://127.0.0.1:${this.ports.mqtt}`;
  }
  get temporalAddress(): string {
    return `127.0.0.1:${this.ports.temporal}`;
  }
  get api(): ApiClient {
    return createApiClient({ url: this.url, token: TOKEN });
  }
  get output(): string {
    return join(this.folder, 'service.log');
  }
  /** Of the present process. */
  get pid(): number {
    return this.child?.pid ?? 0;
  }
  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }
  /** Resolves when the present process has ended, however. */
  get exited(): Promise<void> {
    return this.ended;
  }
  get token(): string {
    return TOKEN;
  }
  get exitCode(): number | null {
    return this.child?.exitCode ?? null;
  }

  /** Starts the process; it answers some seconds later: `ready`. */
  async spawn(): Promise<void> {
    const output = await open(this.output, 'a', 0o600);
    this.outputFrom = (await output.stat()).size;
    const child = spawn(process.execPath, [join(PROJECT_FOLDER, 'bin', 'ferry.mjs'), 'up'], {
      stdio: ['ignore', output.fd, output.fd],
      env: serviceEnvironment(join(this.folder, 'data'), {
        FERRY_ADMIN_TOKEN: TOKEN,
        FERRY_HTTP_PORT: String(this.ports.http),
        FERRY_MQTT_PORT: String(this.ports.mqtt),
        FERRY_TEMPORAL_PORT: String(this.ports.temporal),
        FERRY_TEMPORAL_UI_PORT: String(this.ports.temporalUi),
        ...this.env,
      }),
    });
    this.child = child;
    this.ended = once(child, 'exit').then(() => undefined);
    await once(child, 'spawn');
    await output.close();
  }

  async start(): Promise<void> {
    await this.spawn();
    await this.ready();
  }

  /** Resolves when every part is up. @throws Error when the process ends instead, with its last words */
  async ready(): Promise<void> {
    const deadline = performance.now() + 120_000;
    while (performance.now() < deadline) {
      if (!this.isRunning) throw new Error(`The service has ended:\n${await this.lastWords()}`);
      const readiness = await this.api.readiness().catch(() => undefined);
      if (readiness?.status === 'ready') {
        await this.noteTemporal();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The service is not ready after two minutes:\n${await this.lastWords()}`);
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    this.child?.kill(signal);
    await this.ended;
  }

  /** The embedded Temporal, by the note that Ferry keeps about it; undefined while there is none. */
  async temporalPid(): Promise<number | undefined> {
    await this.noteTemporal();
    return [...this.temporals].reverse().find(isAlive);
  }

  /** The engine answers nothing any more, and loses nothing: SIGSTOP; SIGCONT brings it back. */
  async signalTemporal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const pid = await this.temporalPid();
    if (pid === undefined || !send(pid, signal)) throw new Error('There is no Temporal to signal');
  }

  async killTemporal(): Promise<boolean> {
    const pid = await this.temporalPid();
    return pid !== undefined && send(pid, 'SIGKILL');
  }

  /** Everything ends, also what a killed service left behind. */
  async destroy(): Promise<void> {
    await this.signal('SIGKILL');
    await this.noteTemporal();
    for (const pid of this.temporals) send(pid, 'SIGKILL');
  }

  /** Resolves when the present process has written the text. */
  async says(text: string): Promise<void> {
    while (!(await readFile(this.output)).subarray(this.outputFrom).includes(text)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async lastWords(): Promise<string> {
    return (await readFile(this.output, 'utf8').catch(() => '')).split('\n').slice(-15).join('\n');
  }

  private async noteTemporal(): Promise<void> {
    const note = await readFile(join(this.folder, 'data', 'temporal.json'), 'utf8').catch(() => '{}');
    try {
      const { pid } = JSON.parse(note) as { pid?: number };
      if (pid !== undefined && isAlive(pid)) this.temporals.add(pid);
    } catch {
      // Half-written: the next look sees it whole.
    }
  }
}

const freePort = (): Promise<number> => requireFreePort(0, 'a test');

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
