import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TOKEN, World } from '../api/world.js';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { Terminal } from './terminal.js';

let opened: TestRecords;
let world: World;
let folder: string;
let path: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  opened = await openTestRecords();
  world = await World.open({ records: opened.records });
  env = { FERRY_URL: (await world.listen()).url, FERRY_TOKEN: TOKEN };
  folder = await mkdtemp(join(tmpdir(), 'ferry-audit-'));
  path = join(folder, 'audit.jsonl');
  await world.product();
});
afterEach(async () => {
  await world.close();
  await opened.close();
  await rm(folder, { recursive: true, force: true });
});

const archive = () => new Terminal(env).run(['audit', 'archive', path, '--older-than', '0s']);
const verify = () => new Terminal(env).run(['audit', 'verify']);
const add = () =>
  opened.records.addAudit({
    ...{ atMs: 1, actor: 'ada', action: 'task.cancel', target: 'a', productKey: null, address: null },
    ...{ outcome: 'done', before: null, after: null },
  });
const lose = (id: number) => {
  const db = new Database(opened.path);
  db.exec(`DROP TRIGGER IF EXISTS audit_entries_stay; DELETE FROM audit_entries WHERE id = ${id}`);
  db.close();
};

describe('ferry audit archive', () => {
  it('leaves nothing in the way of the next try when the log breaks off on its way', async () => {
    const { records } = opened;
    await Promise.all(Array.from({ length: 600 }, add));
    const auditChain = records.auditChain.bind(records);
    records.auditChain = (afterId, limit) =>
      afterId < 500 ? auditChain(afterId, limit) : Promise.reject(new Error('the disk is away'));
    expect((await archive()).exitCode).toBe(1);
    expect(await readdir(folder)).toEqual([]);
    records.auditChain = auditChain;
    expect(await archive()).toMatchObject({ exitCode: 0, err: '' });
    expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(602);
  });

  it('never writes over a file, and leaves it as it is', async () => {
    await writeFile(path, 'an older archive');
    expect((await archive()).exitCode).toBe(1);
    expect(await readFile(path, 'utf8')).toBe('an older archive');
  });

  it.each(['the first of all', 'the first after an archive'])(
    'refuses a log that has lost an entry, %s',
    async (which) => {
      if (which === 'the first after an archive') {
        expect((await archive()).exitCode).toBe(0);
        await rm(path);
        await add();
        await add();
      }
      const [first] = await opened.records.auditChain(0, 1);
      const anchor = await opened.records.auditAnchor();
      lose(first?.id ?? 0);
      const { exitCode, err } = await archive();
      expect({ exitCode, err }).toMatchObject({
        exitCode: 1,
        err: expect.stringMatching(
          /Nothing was archived, since the audit log is broken: entries are missing/,
        ) as string,
      });
      expect(await readdir(folder)).toEqual([]);
      expect(await opened.records.auditAnchor()).toEqual(anchor);
      expect((await verify()).err).toContain('entries are missing');
    },
  );

  it('refuses entries that went into another archive while it was written', async () => {
    const { records } = opened;
    const [first] = await records.auditChain(0, 1);
    const auditAnchor = records.auditAnchor.bind(records);
    let asked = 0;
    records.auditAnchor = async () => {
      // The third time, the file is written and its place in the chain is asked for.
      if (++asked === 3) await records.anchorAudit({ id: 1, hash: first?.hash ?? '' }, 9);
      return auditAnchor();
    };
    expect((await archive()).err).toContain('went into another archive meanwhile');
    expect(await readdir(folder)).toEqual([]);
    expect(await auditAnchor()).toMatchObject({ entryId: 1 });
  });
});
