import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApiClient, type ApiClient } from '../../api/client.js';
import type { TaskAnswer } from '../../api/schemas.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { isAlive } from '../support/processes.js';
import { restartPauseMs } from '../../worker/temporal/supervision.js';
import { serviceEnvironment } from '../support/service-environment.js';

/** The built command, as `npm start` runs it, each in a data folder of its own on free ports. */
/** The whole banner, to its last line. */
const READY = /Ferry is ready\.\n\n(?: .*\n)+\n/;
let folder: string;
const running = new Set<ChildProcess>();
const servers = new Set<Server>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-start-'));
});
afterEach(async () => {
  for (const child of running) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }
  running.clear();
  for (const server of servers) server.close();
  servers.clear();
  await rm(folder, { recursive: true, force: true });
});

interface Output {
  readonly text: () => string;
  until(pattern: RegExp): Promise<RegExpExecArray>;
}

function up(env: NodeJS.ProcessEnv = {}): { readonly child: ChildProcess; readonly output: Output } {
  const child = spawn(process.execPath, [join(PROJECT_FOLDER, 'bin', 'ferry.mjs'), 'up'], {
    env: serviceEnvironment(folder, env),
  });
  running.add(child);
  let text = '';
  const add = (piece: Buffer) => (text += piece.toString());
  child.stdout.on('data', add);
  child.stderr.on('data', add);
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(text);
      if (found) return found;
      if (child.exitCode !== null) throw new Error(`It has ended: ${text}`);
      await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), once(child, 'exit')]);
    }
  };
  return { child, output: { text: () => text, until } };
}

const refusedStart = async (
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number | null; readonly text: string }> => {
  const { child, output } = up(env);
  await once(child, 'close');
  return { code: child.exitCode, text: output.text() };
};

const occupiedPort = async (): Promise<number> => {
  const server = createServer();
  servers.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

const closedPort = async (): Promise<number> => {
  const port = await occupiedPort();
  for (const server of servers) server.close();
  servers.clear();
  return port;
};

/** The shortest task that needs the whole engine: a device that can't be notified is waited for a second. */
async function verifyOneTransientDevice(api: ApiClient): Promise<TaskAnswer> {
  const file = join(folder, 'firmware.bin');
  await writeFile(file, 'firmware');
  await api.createProduct({ productKey: 'lamp', name: 'Lamp' });
  await api.registerDevices('lamp', [{ deviceName: 'asleep', protocol: 'coap' }]);
  const { id } = await api.addFirmware({ file, name: 'main', productKey: 'lamp', version: '2.0.0' });
  const task = await api.createVerification(id, { deviceNames: ['asleep'], policy: { offlineTimeoutMs: 1_000 } });
  const stop = new AbortController();
  for await (const { event, data } of api.taskEvents(task.id, { signal: stop.signal })) {
    if (event !== 'task' || data.endedAt === null) continue;
    stop.abort();
    return data;
  }
  throw new Error('The event stream has ended');
}

const temporalPid = async (): Promise<number> =>
  (JSON.parse(await readFile(join(folder, 'temporal.json'), 'utf8')) as { pid: number }).pid;
describe('a start that can’t succeed', () => {
  it('names every wrong variable, once, and exits with 1', async () => {
    const { code, text } = await refusedStart({ FERRY_HTTP_PORT: 'x', FERRY_DURABILITY: 'y' });
    expect(code).toBe(1);
    expect(text).toMatch(/FERRY_HTTP_PORT[\s\S]*FERRY_DURABILITY/);
    expect(text).not.toContain(' at ');
  });

  it.each(['FERRY_HTTP_PORT', 'FERRY_MQTT_PORT', 'FERRY_TEMPORAL_PORT', 'FERRY_TEMPORAL_UI_PORT'])(
    'says which port is taken and that %s changes it; no Temporal stays behind',
    async (variable) => {
      const port = await occupiedPort();
      const { code, text } = await refusedStart({ [variable]: String(port) });
      expect(code).toBe(1);
      expect(text).toContain(String(port));
      expect(text).toContain(variable);
      expect(text).not.toContain(' at ');
      await expect(stat(join(folder, 'temporal.json'))).rejects.toThrow();
    },
  );

  it.each(['below a file', 'in /proc'])('says that the data folder can’t be written: %s', async (where) => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const unusable = where === 'in /proc' ? '/proc/ferry/data' : join(file, 'data');
    const { code, text } = await refusedStart({ FERRY_DATA_DIR: unusable });
    expect(code).toBe(1);
    expect(text).toMatch(/data folder .* can't be written[\s\S]*FERRY_DATA_DIR/);
  });

  it('says what to install when no Temporal is to be had', async () => {
    const { code, text } = await refusedStart({
      TEMPORAL_CLI: '',
      PATH: '/nowhere',
      FERRY_CACHE_DIR: join(folder, 'cache'),
      https_proxy: 'http://127.0.0.1:9',
      HTTPS_PROXY: 'http://127.0.0.1:9',
    });
    expect(code).toBe(1);
    expect(text).toMatch(/No Temporal CLI was found[\s\S]*TEMPORAL_CLI/);
  });

  it('says at once which Temporal service it waits for', async () => {
    const { output } = up({ TEMPORAL_ADDRESS: `127.0.0.1:${await closedPort()}` });
    await output.until(/Waiting for the Temporal service at 127\.0\.0\.1:\d+ \(TEMPORAL_ADDRESS\)/);
  });

  it('says that an executable named by TEMPORAL_CLI is none', async () => {
    const { code, text } = await refusedStart({ TEMPORAL_CLI: '/nonexistent/temporal' });
    expect(code).toBe(1);
    expect(text).toContain('TEMPORAL_CLI');
  });

  it('is refused while another Ferry uses the same data folder', async () => {
    await up().output.until(READY);
    const { code, text } = await refusedStart({});
    expect(code).toBe(1);
    expect(text).toContain('in use by a running Ferry');
  });
});

describe('a running service', () => {
  it('writes its token nowhere but in its file, keeps it over restarts, and stops cleanly at SIGTERM', async () => {
    const first = up();
    await first.output.until(READY);
    const token = (await readFile(join(folder, 'admin-token'), 'utf8')).trim();
    expect(first.output.text()).not.toContain(token);
    expect(first.output.text()).not.toContain('#link=');
    expect(first.output.text()).toContain(join(folder, 'admin-token'));
    expect((await stat(join(folder, 'admin-token'))).mode & 0o777).toBe(0o600);
    const pid = await temporalPid();
    first.child.kill('SIGTERM');
    const [code] = (await once(first.child, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect(isAlive(pid)).toBe(false);

    const second = up();
    await second.output.until(READY);
    expect(second.output.text()).not.toContain(token);
    expect((await readFile(join(folder, 'admin-token'), 'utf8')).trim()).toBe(token);
  });

  it('ends at a SIGTERM to npm, which runs it, with its Temporal', async () => {
    const npm = spawn('npm', ['start', '--ignore-scripts'], {
      cwd: PROJECT_FOLDER,
      env: serviceEnvironment(folder),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    running.add(npm);
    let text = '';
    npm.stderr.on('data', (piece: Buffer) => (text += piece.toString()));
    while (!READY.test(text)) await once(npm.stderr, 'data');
    const pid = await temporalPid();
    npm.kill('SIGTERM');
    if (npm.exitCode === null && npm.signalCode === null) await once(npm, 'exit');
    // npm may end before what it runs, which takes the note about its Temporal away when that has ended.
    const isNoted = () =>
      stat(join(folder, 'temporal.json')).then(
        () => true,
        () => false,
      );
    while (await isNoted()) await setImmediate();
    expect(isAlive(pid)).toBe(false);
  });

  it('keeps its standard output for its log, a JSON line each, and tells there who did what', async () => {
    const { child, output } = up();
    let log = '';
    child.stdout?.on('data', (piece: Buffer) => (log += piece.toString()));
    const [, url = ''] = await output.until(/API +(http\S+)\/v1\n(?: .*\n)+\n/);
    const token = (await readFile(join(folder, 'admin-token'), 'utf8')).trim();
    const api = createApiClient({ url, token });
    await api.signIn({ token });
    const { id } = await verifyOneTransientDevice(api);
    await output.until(/a task has ended/);
    const entries = log
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries).toContainEqual(expect.objectContaining({ msg: 'an operator signed in', by: 'admin' }));
    expect(entries).toContainEqual(expect.objectContaining({ msg: 'a firmware was added', productKey: 'lamp' }));
    expect(entries).toContainEqual(
      expect.objectContaining({ msg: 'a verification was created', task: id, devices: 1 }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({
        msg: 'a task has ended',
        task: id,
        counts: expect.objectContaining({ failed: 1 }) as unknown,
      }),
    );
    expect(log).not.toContain(token);
  });

  it('says that it is ready, part by part', async () => {
    const [, url] = await up().output.until(/API +(http\S+)\/v1\n(?: .*\n)+\n/);
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      status: 'ready',
      parts: { database: 'up', 'workflow engine': 'up', 'MQTT broker': 'up', 'workflow worker': 'up' },
    });
  });

  it('that is killed leaves an orphaned Temporal, which the next start ends', async () => {
    const first = up();
    await first.output.until(READY);
    const orphan = await temporalPid();
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    expect(isAlive(orphan)).toBe(true);
    await up().output.until(READY);
    expect(isAlive(orphan)).toBe(false);
    expect(await temporalPid()).not.toBe(orphan);
  });

  it('starts its Temporal again when that was killed, and goes on', async () => {
    const { output } = up();
    const [, url = ''] = await output.until(/API +(http\S+)\/v1\n(?: .*\n)+\n/);
    const killed = await temporalPid();
    process.kill(killed, 'SIGKILL');
    await output.until(/it is started again/);
    const ready = async () => (await fetch(`${url}/readyz`)).ok;
    while (!(await ready()));
    expect(await temporalPid()).not.toBe(killed);
    const token = (await readFile(join(folder, 'admin-token'), 'utf8')).trim();
    const api = createApiClient({ url, token });
    expect(await verifyOneTransientDevice(api)).toMatchObject({ status: 'completed', counts: { failed: 1 } });
  });

  it('starts its Temporal again however often it ends, with pauses', async () => {
    const { output, child } = up();
    const [, url = ''] = await output.until(/API +(http\S+)\/v1\n(?: .*\n)+\n/);
    const killed = new Set<number>();
    for (let kills = 0; kills < 3; kills++) {
      while (killed.has(await temporalPid().catch(() => 0)) || !isAlive(await temporalPid().catch(() => 0)));
      const pid = await temporalPid();
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
      while (isAlive(pid));
    }
    const ready = async () => (await fetch(`${url}/readyz`)).ok;
    while (!(await ready()));
    expect(killed).toHaveLength(3);
    expect(child.exitCode).toBeNull();
    expect([1, 2, 3, 4, 20].map(restartPauseMs)).toEqual([0, 1_000, 2_000, 4_000, 30_000]);
  });
});
