import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it, vi } from 'vitest';
import { connectionSettings, connectTemporal } from '../../worker/temporal/connection.js';
import { startEmbeddedServer, type EmbeddedServer } from '../../worker/temporal/embedded-server.js';
import { endOrphan } from '../../worker/temporal/own-process.js';

const processesNaming = (text: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false; // it has ended meanwhile
    }
  });

it('A Temporal whose process can’t be noted is ended: nobody would know of it, and its ports would be taken', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-note-'));
  try {
    const starting = startEmbeddedServer({
      ...{ cli: inject('temporalCli'), port: 0, uiPort: 0, durability: 'process' },
      ...{ database: join(folder, 'temporal.db'), log: join(folder, 'temporal.log') },
      processNote: join(folder, 'not-there', 'temporal.json'),
    });
    await expect(starting).rejects.toThrow('ENOENT');
    expect(processesNaming(folder)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it.each(['a b', 'C#work', '50%25', 'q?x=1'])(
  'A Temporal whose folder is named %s keeps its database there at every start, and is known as our own orphan',
  async (name) => {
    const base = await mkdtemp(join(tmpdir(), 'ferry-named-'));
    const folder = join(base, name);
    await mkdir(folder);
    const processNote = join(folder, 'temporal.json');
    const start = () =>
      startEmbeddedServer({
        ...{ cli: inject('temporalCli'), port: 0, uiPort: 0, durability: 'process', processNote },
        ...{ database: join(folder, 'temporal.db'), log: join(folder, 'temporal.log') },
      });
    try {
      const first = await start();
      await answering(first);
      await first.stop();
      const second = await start();
      await answering(second);
      expect(await readdir(base)).toEqual([name]);
      expect(await readdir(folder)).toContain('temporal.db');
      expect(await endOrphan(processNote)).toBe(second.pid);
      await second.exited;
    } finally {
      await rm(base, { recursive: true, force: true });
    }
  },
);

it('A Temporal is not told the secrets of the service', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-environment-'));
  vi.stubEnv('FERRY_SECRET_KEY', 'not-for-others');
  vi.stubEnv('NEIGHBOURS_PASSWORD', 'not-for-others');
  try {
    const server = await startEmbeddedServer({
      ...{ cli: inject('temporalCli'), port: 0, uiPort: 0, durability: 'process' },
      ...{ database: join(folder, 'temporal.db'), log: join(folder, 'temporal.log') },
      processNote: join(folder, 'temporal.json'),
    });
    expect(readFileSync(`/proc/${server.pid}/environ`, 'utf8')).not.toContain('not-for-others');
    await server.stop();
  } finally {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  }
});

/** It answers once it has opened its database. */
async function answering({ address, exited }: EmbeddedServer): Promise<void> {
  const connections = await connectTemporal(connectionSettings(address, {}), exited);
  await connections.close();
}
