import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';

/** The built command, as `npm start` runs it, each in a data folder of its own on free ports. */
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

const environment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...process.env,
  TEMPORAL_CLI: inject('temporalCli'),
  FERRY_DATA_DIR: folder,
  FERRY_HTTP_PORT: '0',
  FERRY_MQTT_PORT: '0',
  FERRY_TEMPORAL_PORT: '0',
  FERRY_TEMPORAL_UI_PORT: '0',
  ...env,
});

interface Output {
  readonly text: () => string;
  until(pattern: RegExp): Promise<RegExpExecArray>;
}

function up(env: NodeJS.ProcessEnv = {}): { readonly child: ChildProcess; readonly output: Output } {
  const child = spawn(process.execPath, [join(PROJECT_FOLDER, 'bin', 'ferry.mjs'), 'up'], { env: environment(env) });
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

const temporalPid = async (): Promise<number> =>
  (JSON.parse(await readFile(join(folder, 'temporal.json'), 'utf8')) as { pid: number }).pid;
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

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

  it('says that the data folder can’t be written', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const { code, text } = await refusedStart({ FERRY_DATA_DIR: join(file, 'data') });
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

  it('says that an executable named by TEMPORAL_CLI is none', async () => {
    const { code, text } = await refusedStart({ TEMPORAL_CLI: '/nonexistent/temporal' });
    expect(code).toBe(1);
    expect(text).toContain('TEMPORAL_CLI');
  });

  it('is refused while another Ferry uses the same data folder', async () => {
    await up().output.until(/Ferry is ready[^]*\n\n/);
    const { code, text } = await refusedStart({});
    expect(code).toBe(1);
    expect(text).toContain('in use by a running Ferry');
  });
});

describe('a running service', () => {
  it('shows its token once, keeps it over restarts, and stops cleanly at SIGTERM, Temporal included', async () => {
    const first = up();
    await first.output.until(/Ferry is ready[^]*\n\n/);
    const token = (await readFile(join(folder, 'admin-token'), 'utf8')).trim();
    expect(first.output.text()).toContain(token);
    expect((await stat(join(folder, 'admin-token'))).mode & 0o777).toBe(0o600);
    const pid = await temporalPid();
    first.child.kill('SIGTERM');
    const [code] = (await once(first.child, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect(isAlive(pid)).toBe(false);

    const second = up();
    await second.output.until(/Ferry is ready[^]*\n\n/);
    expect(second.output.text()).not.toContain(token);
    expect((await readFile(join(folder, 'admin-token'), 'utf8')).trim()).toBe(token);
  });

  it('says that it is ready, part by part', async () => {
    const [, url] = await up().output.until(/API +(http\S+)\/v1[^]*\n\n/);
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      status: 'ready',
      parts: { database: 'up', 'workflow engine': 'up', 'MQTT broker': 'up' },
    });
  });

  it('that is killed leaves an orphaned Temporal, which the next start ends', async () => {
    const first = up();
    await first.output.until(/Ferry is ready[^]*\n\n/);
    const orphan = await temporalPid();
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    expect(isAlive(orphan)).toBe(true);
    await up().output.until(/Ferry is ready[^]*\n\n/);
    expect(isAlive(orphan)).toBe(false);
    expect(await temporalPid()).not.toBe(orphan);
  });

  it('ends with 1 when its Temporal has gone for good', async () => {
    const { child, output } = up();
    await output.until(/Ferry is ready[^]*\n\n/);
    process.kill(await temporalPid(), 'SIGKILL');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(1);
    expect(output.text()).toContain('Temporal');
  });
});
