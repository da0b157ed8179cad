import { and, asc, desc, eq, gt, inArray, lt, or, sql, type SQL } from 'drizzle-orm';
import { notFound } from '../../domain/errors.js';
import { auditHash, CHAIN_BEGIN } from '../audit-chain.js';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { pageOf, readCursor } from './paging.js';
import { auditAnchors, auditEntries } from './schema.js';

type AuditRecords = Pick<
  Records,
  'addAudit' | 'listAudit' | 'auditChain' | 'auditAnchor' | 'anchorAudit' | 'dropArchivedAudit'
>;

/** The audit log. Triggers of the database refuse to change its entries, or to delete what is not archived. */
export function auditRecords({ db, sqlite, writes }: Connection): AuditRecords {
  const last = db
    .select({ id: auditEntries.id, hash: auditEntries.hash })
    .from(auditEntries)
    .orderBy(desc(auditEntries.id))
    .limit(1)
    .prepare();

  const anchor = db.select().from(auditAnchors).orderBy(desc(auditAnchors.entryId)).limit(1).prepare();
  const oldest = sqlite.prepare<[], number | null>('SELECT min(id) FROM audit_entries').pluck();
  const drop = sqlite.prepare<[number]>('DELETE FROM audit_entries WHERE id <= ?');

  return {
    addAudit: (draft) =>
      writes.run(() => {
        const anchored = anchor.get();
        const before = last.get() ?? (anchored && { id: anchored.entryId, hash: anchored.hash });
        const id = (before?.id ?? 0) + 1;
        const previousHash = before?.hash ?? CHAIN_BEGIN;
        const entry = { ...draft, id, previousHash, hash: auditHash(previousHash, id, draft) };
        db.insert(auditEntries).values(entry).run();
        return entry;
      }),

    async listAudit({ actor, action, target, productKey }, page) {
      const cursor = readCursor(page.cursor, ['number']);
      const rows = db
        .select()
        .from(auditEntries)
        .where(
          and(
            actor === undefined ? undefined : eq(auditEntries.actor, actor),
            action === undefined ? undefined : eq(auditEntries.action, action),
            target === undefined ? undefined : or(eq(auditEntries.target, target), created(target)),
            productKey === undefined ? undefined : eq(auditEntries.productKey, productKey),
            cursor && lt(auditEntries.id, Number(cursor[0])),
          ),
        )
        .orderBy(desc(auditEntries.id))
        .limit(page.limit + 1)
        .all();
      return pageOf(rows, page, { key: ({ id }) => [id], item: (row) => row });
    },

    auditChain: async (afterId, limit) =>
      db
        .select()
        .from(auditEntries)
        .where(gt(auditEntries.id, Math.max(afterId, anchor.get()?.entryId ?? 0)))
        .orderBy(asc(auditEntries.id))
        .limit(limit)
        .all(),

    auditAnchor: async () => anchor.get(),

    anchorAudit: ({ id, hash }, atMs) =>
      writes.run(() => {
        const known = anchor.get();
        if (known?.entryId === id && known.hash === hash) return known;
        const entry = db.select().from(auditEntries).where(eq(auditEntries.id, id)).get();
        if (entry?.hash !== hash || id <= (known?.entryId ?? 0)) {
          throw notFound(`Entry ${id} of the audit log with the hash ${hash}`);
        }
        const firstId = (known?.entryId ?? 0) + 1;
        const first = db.select().from(auditEntries).where(eq(auditEntries.id, firstId)).get();
        if (first?.previousHash !== (known?.hash ?? CHAIN_BEGIN)) {
          throw notFound(`Entry ${firstId} of the audit log as it was written, the first that is not archived yet,`);
        }
        const added = { entryId: id, hash, archivedAtMs: atMs };
        db.insert(auditAnchors).values(added).run();
        return added;
      }),

    dropArchivedAudit: (entriesMax) =>
      writes.run(() => {
        const first = oldest.get() ?? 0;
        return drop.run(Math.min(anchor.get()?.entryId ?? 0, first + entriesMax - 1)).changes;
      }),
  };
}

/** What creates a task is done to a firmware or to another task; the id of the new one is in what came of it. */
const CREATIONS = ['verification.create', 'batch.create', 'task.reinitiate'];

function created(target: string): SQL | undefined {
  const [, taskId] = /^task\/(.+)$/.exec(target) ?? [];
  if (taskId === undefined) return undefined;
  return and(inArray(auditEntries.action, CREATIONS), sql`json_extract(${auditEntries.after}, '$.id') = ${taskId}`);
}
