import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createApiClient, type ApiClient } from '../../api/client.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';

const TOKEN = 'bench-bench-bench';

interface StartOptions {
  /** Folder into which a CPU profile is written when the service stops. */
  readonly profile?: string | undefined;
  /** Puts into the data folder what the service is to find there. */
  readonly prepare?: ((folder: string) => Promise<void>) | undefined;
  /** Of its process. */
  readonly nodeOptions?: readonly string[];
}

/** The whole service as a process of its own, on any free ports and a fresh data folder. */
export class Service {
  private constructor(
    readonly folder: string,
    readonly url: string,
    readonly mqttUrl: string,
    readonly pid: number,
    readonly temporalPid: number,
    private readonly child: ChildProcess,
  ) {}

  static async start(env: NodeJS.ProcessEnv = {}, options: StartOptions = {}): Promise<Service> {
    const { profile, prepare, nodeOptions = [] } = options;
    const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-'));
    await prepare?.(folder);
    const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    const child = spawn(
      process.execPath,
      [...profiling, ...nodeOptions, join(PROJECT_FOLDER, 'bin', 'ferry.mjs'), 'up'],
      {
        // The addresses are told on standard error; the log would stand among the figures.
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          ...process.env,
          ...{ FERRY_HTTP_PORT: '0', FERRY_MQTT_PORT: '0', FERRY_TEMPORAL_PORT: '0', FERRY_TEMPORAL_UI_PORT: '0' },
          ...{ FERRY_DATA_DIR: folder, FERRY_ADMIN_TOKEN: TOKEN, FERRY_LOG_LEVEL: 'error' },
          ...env,
        },
      },
    );
    const [, url = '', mqttUrl = ''] = await new Promise<RegExpExecArray>((resolve, reject) => {
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        const found = /(http:\S+)\/v1\n\s+MQTT\s+(\S+)/.exec(text);
        if (found) resolve(found);
      });
      child.once('exit', () => reject(new Error(`The service has ended: ${text}`)));
    });
    const note = JSON.parse(await readFile(join(folder, 'temporal.json'), 'utf8')) as { pid: number };
    return new Service(folder, url, mqttUrl, child.pid ?? 0, note.pid, child);
  }

  get api(): ApiClient {
    return createApiClient({ url: this.url, token: TOKEN });
  }

  /** Bytes of the pages in use of records and engine; the write-ahead logs beside them keep their size. */
  async databaseBytes(): Promise<{ readonly records: number; readonly engine: number }> {
    return { records: bytesOf(join(this.folder, 'ferry.db')), engine: bytesOf(join(this.folder, 'temporal.db')) };
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function bytesOf(path: string): number {
  const db = new Database(path, { readonly: true });
  const pragma = (name: string) => Number(db.pragma(name, { simple: true }));
  const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  db.close();
  return bytes;
}
