import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { startEmbeddedServer } from '../../worker/temporal/embedded-server.js';

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
