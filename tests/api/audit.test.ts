import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkArchives } from '../../worker/audit-archive.js';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { PRODUCT, World } from './world.js';

interface Entry {
  readonly actor: string;
  readonly action: string;
  readonly target: string | null;
  readonly outcome: string;
  readonly before: unknown;
  readonly after: Record<string, unknown> | null;
}

let world: World;
let opened: TestRecords;
beforeEach(async () => {
  opened = await openTestRecords();
  world = await World.open({ records: opened.records });
  await world.product();
});
afterEach(async () => {
  await world.close();
  await opened.close();
});

/** Oldest first. */
async function entries(query = ''): Promise<Entry[]> {
  const { body } = await world.get<{ items: Entry[] }>(`/v1/audit${query}`);
  return body.items.toReversed();
}
const verification = async () => (await world.get('/v1/audit/verification')).body;

describe('The audit log', () => {
  it('has who did what to what, with what came of it', async () => {
    const taskId = await world.batch();
    await world.post(`/v1/tasks/${taskId}/cancel`);
    const log = await entries();
    expect(log.map(({ action, target, outcome }) => [action, target, outcome])).toEqual([
      ['product.create', 'product/lamps', 'done'],
      ['device.register', 'product/lamps', 'done'],
      ['firmware.add', expect.stringMatching(/^firmware\/\w{16}$/), 'done'],
      ['verification.create', expect.stringMatching(/^firmware\/\w{16}$/), 'done'],
      ['batch.create', expect.stringMatching(/^firmware\/\w{16}$/), 'done'],
      ['task.cancel', `task/${taskId}`, 'done'],
    ]);
    expect(log.every(({ actor }) => actor === 'admin')).toBe(true);
    expect(log.at(-1)).toMatchObject({ before: { status: 'running' }, after: { id: taskId, status: 'running' } });
    expect(log[4]?.after).toMatchObject({ policy: { allowDowngrade: false }, counts: { total: 3 } });
  });

  it('tells who created a task also when it is asked by the task', async () => {
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'stalled');
    await world.end(taskId);
    const { body: again } = await world.post<{ id: string }>(`/v1/tasks/${taskId}/reinitiate`, {});
    const of = async (id: string) => (await entries(`?target=task/${id}`)).map(({ action }) => action);
    expect(await of(taskId)).toEqual(['batch.create', 'task.reinitiate']);
    expect(await of(again.id)).toEqual(['task.reinitiate']);
    expect(await of('nothing')).toEqual([]);
  });

  it('has refusals too, by strangers too', async () => {
    await world.post(`/v1/tasks/nothing/cancel`);
    await world.api.app.request('/v1/products', { method: 'POST', headers: { authorization: 'Bearer wrong' } });
    await world.post('/v1/products', {});
    const { body: viewer } = await world.post<{ token: string }>('/v1/tokens', { name: 'Vera', role: 'viewer' });
    await world.send('POST', '/v1/products', { headers: { authorization: `Bearer ${viewer.token}` } });
    expect((await entries()).slice(2).map(({ actor, action, outcome }) => [actor, action, outcome])).toEqual([
      ['admin', 'task.cancel', 'not-found'],
      ['unknown', 'product.create', 'unauthorized'],
      ['admin', 'product.create', 'invalid-request'],
      ['admin', 'token.create', 'done'],
      ['Vera', 'product.create', 'forbidden'],
    ]);
  });

  it('has ids and reasons that are cut short, however long the path is', async () => {
    const long = 'x'.repeat(14_000);
    const paths = [`tasks/${long}/cancel`, `tasks/x/devices/${long}/cancel`, `products/${long}/devices`];
    for (const path of paths) {
      const { status } = await world.post(`/v1/${path}`, path.startsWith('products') ? { deviceName: 'a' } : undefined);
      expect([400, 404]).toContain(status);
    }
    const { body: viewer } = await world.post<{ token: string }>('/v1/tokens', { name: 'Vera', role: 'viewer' });
    await world.send('POST', `/v1/tasks/${long}/cancel`, { headers: { authorization: `Bearer ${viewer.token}` } });
    const log = await entries();
    expect(log.filter(({ outcome }) => outcome !== 'done')).toHaveLength(4);
    expect(Math.max(...log.map((entry) => JSON.stringify(entry).length))).toBeLessThan(2_000);
  });

  it('has the first 30 requests an hour that a token does not allow, of each token', async () => {
    const tokenOf = async (name: string) =>
      (await world.post<{ token: string }>('/v1/tokens', { name, role: 'viewer' })).body.token;
    const add = (token: string) =>
      world.send('POST', '/v1/products', { headers: { authorization: `Bearer ${token}` } });
    const [vera, otto] = [await tokenOf('Vera'), await tokenOf('Otto')];
    for (let i = 0; i < 35; i++) expect((await add(vera)).status).toBe(403);
    await add(otto);
    expect(await entries('?actor=Vera&limit=500')).toHaveLength(30);
    expect(await entries('?actor=Otto')).toHaveLength(1);
  });

  it('has downgrades that were allowed', async () => {
    await world.runs('lamp-1', '3.0.0');
    const firmwareId = await world.firmware('2.0.0');
    const path = `/v1/firmware/${firmwareId}/verifications`;
    await world.post(path, { deviceNames: ['lamp-1'] });
    await world.post(path, { deviceNames: ['lamp-1'], policy: { allowDowngrade: true } });
    const [refused, allowed] = (await entries('?action=verification.create')).slice(-2);
    expect(refused).toMatchObject({ outcome: 'downgrade-not-allowed' });
    expect(allowed).toMatchObject({ outcome: 'done', after: { policy: { allowDowngrade: true } } });
  });

  it('has no secrets in it', async () => {
    const { body } = await world.post<{ devices: { deviceSecret: string }[] }>(`/v1/products/${PRODUCT}/devices`, {
      devices: [{ deviceName: 'lamp-9' }, { deviceName: 'lamp-10', deviceSecret: 'given-by-hand-123' }],
    });
    const { body: rotated } = await world.post<{ deviceSecret: string }>(
      `/v1/products/${PRODUCT}/devices/lamp-9/secret`,
      {},
    );
    const text = await (await world.request('/v1/audit')).text();
    const secrets = [...body.devices.map(({ deviceSecret }) => deviceSecret), rotated.deviceSecret];
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(text).toContain('device.rotate-secret');
  });

  it('does not have what only reads', async () => {
    const count = (await entries()).length;
    await world.get('/v1/tasks');
    await world.post(`/v1/firmware/x/batch-updates/preview`, { sourceVersions: ['1'] });
    expect(await entries()).toHaveLength(count);
  });

  it('is a chain in which a change, a gap and a wrong order show', async () => {
    for (const name of ['a', 'b', 'c']) await world.post('/v1/products', { name });
    const { fault, entries: count } = await verification();
    expect({ fault, count }).toEqual({ fault: null, count: 5 });
    const db = new Database(opened.path);
    db.exec('DROP TRIGGER audit_entries_keep; DROP TRIGGER audit_entries_stay');
    const was = db.prepare('SELECT actor FROM audit_entries WHERE id = 3').pluck().get();
    db.exec("UPDATE audit_entries SET actor = 'nobody' WHERE id = 3");
    expect(await verification()).toMatchObject({ entries: 2, fault: { id: 3 } });
    db.prepare('UPDATE audit_entries SET actor = ? WHERE id = 3').run(was);
    expect(await verification()).toMatchObject({ fault: null });
    db.exec('DELETE FROM audit_entries WHERE id = 4');
    expect(await verification()).toMatchObject({ entries: 3, fault: { id: 5 } });
    db.close();
  });

  it('refuses to be changed by anybody who has the database', () => {
    const db = new Database(opened.path);
    expect(() => db.exec("UPDATE audit_entries SET actor = 'nobody'")).toThrow('append-only');
    expect(() => db.exec('DELETE FROM audit_entries')).toThrow('append-only');
    db.close();
  });

  it('filters, pages, and exports as CSV in which no cell is a formula', async () => {
    const { body } = await world.post<{ token: string }>('/v1/tokens', { name: '=cmd|calc', role: 'operator' });
    const headers = { authorization: `Bearer ${body.token}`, 'content-type': 'application/json' };
    await world.send('POST', '/v1/products', { headers, body: '{"name":"x"}' });
    expect(await entries('?actor=%3Dcmd%7Ccalc')).toMatchObject([{ action: 'product.create' }]);
    const { body: page } = await world.get<{ items: Entry[]; nextCursor: string }>('/v1/audit?limit=2');
    const { body: next } = await world.get<{ items: Entry[] }>(`/v1/audit?limit=2&cursor=${page.nextCursor}`);
    expect([...page.items, ...next.items].map(({ action }) => action)).toEqual([
      'product.create',
      'token.create',
      'device.register',
      'product.create',
    ]);
    const csv = await (await world.request('/v1/audit.csv')).text();
    expect(csv.split('\n')[0]).toContain('actor,action');
    expect(csv).toContain("'=cmd|calc");
    expect(csv).not.toMatch(/(^|,)=cmd/m);
  });
});

describe('An archive of the audit log', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ferry-archive-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const chain = async (before: string) => (await world.request(`/v1/audit/chain?before=${before}`)).text();
  const archived = async (text: string) => {
    const { id, hash } = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as { id: number; hash: string };
    return world.post<{ id: number; deleted: number; code?: string }>('/v1/audit/archive', { id, hash });
  };

  it('takes old entries out of the log, which still proves the rest; the file proves itself', async () => {
    const before = Number((await verification())['entries']);
    const text = await chain('2999-01-01T00:00:00Z');
    expect(text.trimEnd().split('\n')).toHaveLength(before);
    expect(await archived(text)).toMatchObject({ status: 200, body: { id: before, deleted: before } });
    expect(await verification()).toMatchObject({ entries: 1, fault: null, archived: { id: before } });
    expect((await entries()).map(({ action }) => action)).toEqual(['audit.archive']);

    const [first, second] = [join(folder, 'first.jsonl'), join(folder, 'second.jsonl')];
    await writeFile(first, text.replace('"admin"', '"eve"'));
    expect((await checkArchives([first])).problem).toMatch(/entry 1 in .* was changed after it was written/);
    await writeFile(first, text);
    expect(await checkArchives([first])).toMatchObject({
      entries: before,
      after: 0,
      problem: null,
      last: { id: before },
    });

    const next = await chain('2999-01-01T00:00:00Z');
    await archived(next);
    await writeFile(second, next);
    expect(await checkArchives([first, second])).toMatchObject({ entries: before + 1, problem: null });
    expect((await checkArchives([second, first])).problem).toMatch(/entries are missing/);
  });

  describe('that is made while the chain is read', () => {
    const LAST = '2999-01-01T00:00:00Z';
    /** Once a first page was read, archives up to that entry. */
    const archivesMeanwhile = async (id: number) => {
      const { records } = opened;
      const entry = {
        ...{ atMs: 1, actor: 'ada', action: 'task.cancel', target: 'a', productKey: null, address: null },
        ...{ outcome: 'done', before: null, after: null },
      };
      await Promise.all(Array.from({ length: 700 }, () => records.addAudit(entry)));
      const auditChain = records.auditChain.bind(records);
      let isRead = false;
      records.auditChain = async (afterId, limit) => {
        if (isRead) {
          const [last] = await auditChain(id - 1, 1);
          if (last?.id === id) await records.anchorAudit({ id, hash: last.hash }, 9);
          while ((await records.dropArchivedAudit(500)) > 0);
        }
        isRead = true;
        return auditChain(afterId, limit);
      };
    };

    it.each([400, 500, 600])('is no gap in it: the check goes on after entry %i', async (id) => {
      await archivesMeanwhile(id);
      expect(await verification()).toMatchObject({ fault: null });
      expect(await verification()).toMatchObject({ entries: 702 - id, fault: null, archived: { id } });
    });

    it('breaks off the reading for another archive where it takes what was not read yet', async () => {
      await archivesMeanwhile(600);
      await expect(chain(LAST)).rejects.toThrow();
    });

    it('leaves the reading for another archive whole where it takes only what was read', async () => {
      await archivesMeanwhile(400);
      expect((await chain(LAST)).trimEnd().split('\n')).toHaveLength(702);
    });
  });

  it('deletes nothing for who does not have the last entry as it is, and reads only what is old', async () => {
    expect(await chain('2001-01-01T00:00:00Z')).toBe('');
    const refused = await world.post('/v1/audit/archive', { id: 1, hash: 'ab'.repeat(32) });
    expect(refused).toMatchObject({ status: 404 });
    expect(await verification()).toMatchObject({ fault: null, archived: null });
    expect((await entries()).length).toBeGreaterThan(1);
  });
});
