import { beforeEach, describe, expect, it } from 'vitest';
import { auditHash, CHAIN_BEGIN } from '../../../records/audit-chain.js';
import type { AuditDraft, NewToken, Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, type Ground } from './ground.js';

/** Operators' tokens, and what is written down of what they do. */
export function describeOperators(ground: () => Ground): void {
  let records: Records;
  let build: Builder;
  beforeEach(() => {
    ({ records, build } = ground());
  });

  describe('tokens', () => {
    const token = (more: Partial<NewToken> = {}): NewToken => ({
      ...{ id: build.id('token'), name: build.id('name'), role: 'operator', productKey: null, hash: build.id('hash') },
      ...{ createdBy: 'admin', createdAtMs: 1, expiresAtMs: 100, ...more },
    });

    it('are found by id and by the digest of what their holder sends, and never tell the digest', async () => {
      const added = token();
      const { hash, ...told } = added;
      const expected = { ...told, lastUsedAtMs: null, revokedAtMs: null };
      expect(await records.addToken(added)).toEqual(expected);
      expect(await records.getToken(added.id)).toEqual(expected);
      expect(await records.tokenByHash(hash)).toEqual(expected);
      expect(await records.getToken('nobody')).toBeUndefined();
      expect(await records.tokenByHash('nobody')).toBeUndefined();
    });

    it('have a name once among those that are good', async () => {
      const first = token({ name: 'ci' });
      await records.addToken(first);
      await expect(records.addToken(token({ name: 'ci' }))).rejects.toMatchObject({ code: 'token-exists' });
      await records.revokeToken(first.id, 5);
      await expect(records.addToken(token({ name: 'ci' }))).resolves.toMatchObject({ name: 'ci' });
    });

    it('are not added for a product that does not exist', async () => {
      await expect(records.addToken(token({ productKey: 'nothing' }))).rejects.toMatchObject({ code: 'not-found' });
      await expect(records.addToken(token({ productKey: build.productKey }))).resolves.toMatchObject({
        productKey: build.productKey,
      });
    });

    it('end with the sessions that rest on them; the first revocation stays', async () => {
      const [revoked, other] = [token(), token()];
      for (const each of [revoked, other]) {
        await records.addToken(each);
        const session = { principal: each.name, credential: each.hash, createdAtMs: 1, expiresAtMs: 100 };
        await records.addSession({ ...session, hash: `session-of-${each.id}` });
      }
      expect(await records.revokeToken(revoked.id, 5)).toMatchObject({ revokedAtMs: 5 });
      expect(await records.revokeToken(revoked.id, 9)).toMatchObject({ revokedAtMs: 5 });
      expect(await records.getSession(`session-of-${revoked.id}`, 6)).toBeUndefined();
      expect(await records.getSession(`session-of-${other.id}`, 6)).toBeDefined();
      await expect(records.revokeToken('nobody', 5)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('remember when they were used last, each its own', async () => {
      const [used, other] = [token(), token()];
      await records.addToken(used);
      await records.addToken(other);
      await records.tokenUsed(used.id, 7);
      expect(await records.getToken(used.id)).toMatchObject({ lastUsedAtMs: 7 });
      expect(await records.getToken(other.id)).toMatchObject({ lastUsedAtMs: null });
    });

    it('are listed newest first, revoked ones too, page by page', async () => {
      const added = [1, 2, 3, 4, 4].map((createdAtMs) => token({ createdAtMs }));
      for (const each of added) await records.addToken(each);
      await records.revokeToken(added[1]?.id ?? '', 9);
      const listed = (await allPages((page) => records.listTokens(page), 2)).map(({ id }) => id);
      expect(listed.slice(2)).toEqual([added[2]?.id, added[1]?.id, added[0]?.id]);
      expect([...listed].sort()).toEqual(added.map(({ id }) => id).sort());
    });
  });

  describe('the audit log', () => {
    const draft = (more: Partial<AuditDraft> = {}): AuditDraft => ({
      ...{ atMs: 1, actor: 'admin', action: 'task.cancel', target: 'task/x', productKey: null, address: null },
      ...{ outcome: 'done', before: null, after: '{}', ...more },
    });

    it('is a chain: each entry has the number after the last, and covers the one before it', async () => {
      const drafts = ['a', 'b', 'c'].map((actor) => draft({ actor }));
      const entries = [];
      for (const each of drafts) entries.push(await records.addAudit(each));
      let previousHash = CHAIN_BEGIN;
      entries.forEach((entry, i) => {
        const hash = auditHash(previousHash, i + 1, drafts[i] as AuditDraft);
        expect(entry).toEqual({ ...drafts[i], id: i + 1, previousHash, hash });
        previousHash = hash;
      });
      expect(await records.auditChain(0, 2)).toEqual(entries.slice(0, 2));
      expect(await records.auditChain(2, 2)).toEqual(entries.slice(2));
      expect(await records.auditChain(3, 2)).toEqual([]);
    });

    it('gives simultaneous entries numbers without gaps', async () => {
      const entries = await Promise.all(Array.from({ length: 20 }, () => records.addAudit(draft())));
      expect(entries.map(({ id }) => id).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      const chain = await records.auditChain(0, 100);
      chain.slice(1).forEach((entry, i) => expect(entry.previousHash).toBe(chain[i]?.hash));
    });

    it('is listed newest first, by actor, action, target and product', async () => {
      const one = draft({ actor: 'ada', action: 'device.revoke', target: 'device/p/a', productKey: 'p' });
      await records.addAudit(draft());
      await records.addAudit(one);
      await records.addAudit(draft({ actor: 'bob' }));
      const ids = async (filter: Parameters<Records['listAudit']>[0]) =>
        (await allPages((page) => records.listAudit(filter, page), 1)).map(({ id }) => id);
      expect(await ids({})).toEqual([3, 2, 1]);
      for (const filter of [
        { actor: one.actor },
        { action: one.action },
        { target: 'device/p/a' },
        { productKey: 'p' },
        { actor: 'ada', action: 'device.revoke', target: 'device/p/a', productKey: 'p' },
      ]) {
        expect(await ids(filter), JSON.stringify(filter)).toEqual([2]);
      }
      expect(await ids({ actor: 'bob', productKey: 'p' })).toEqual([]);
    });

    it('tells of a task its creation too, which was done to a firmware or to another task', async () => {
      const after = JSON.stringify({ id: 'new' });
      const drafts = [
        draft({ action: 'batch.create', target: 'firmware/f', productKey: 'p', after }),
        draft({
          action: 'batch.create',
          target: 'firmware/f',
          productKey: 'p',
          after: JSON.stringify({ id: 'other' }),
        }),
        draft({ action: 'task.cancel', target: 'task/new', actor: 'ada' }),
        draft({ action: 'device-update.cancel', target: 'task/new/lamp' }),
        draft({ action: 'task.reinitiate', target: 'task/new', after: JSON.stringify({ id: 'third' }) }),
        draft({ action: 'firmware.create', target: 'product/p', after }),
        draft({ action: 'task.cancel', target: 'task/new', actor: 'bob' }),
      ];
      for (const each of drafts) await records.addAudit(each);
      const ids = async (filter: Parameters<Records['listAudit']>[0], limit: number) =>
        (await allPages((page) => records.listAudit(filter, page), limit)).map(({ id }) => id);
      for (const limit of [1, 2, 10]) {
        expect(await ids({ target: 'task/new' }, limit)).toEqual([7, 5, 3, 1]);
        expect(await ids({ target: 'task/third' }, limit)).toEqual([5]);
        expect(await ids({ target: 'task/new/lamp' }, limit)).toEqual([4]);
        expect(await ids({ target: 'task/new', action: 'batch.create' }, limit)).toEqual([1]);
        expect(await ids({ target: 'task/new', action: 'task.reinitiate' }, limit)).toEqual([5]);
        expect(await ids({ target: 'task/new', action: 'task.cancel' }, limit)).toEqual([7, 3]);
        expect(await ids({ target: 'task/new', actor: 'ada' }, limit)).toEqual([3]);
        expect(await ids({ target: 'task/new', productKey: 'p' }, limit)).toEqual([1]);
      }
    });
  });
}
