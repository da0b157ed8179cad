import { and, asc, desc, eq, gt, inArray, lt, or, sql, type SQL } from 'drizzle-orm';
import { auditHash, CHAIN_BEGIN } from '../audit-chain.js';
import type { Records } from '../records.js';
import type { Connection } from './connection.js';
import { pageOf, readCursor } from './paging.js';
import { auditEntries } from './schema.js';

type AuditRecords = Pick<Records, 'addAudit' | 'listAudit' | 'auditChain'>;

/** The audit log. Triggers of the database refuse to change or delete its entries. */
export function auditRecords({ db, writes }: Connection): AuditRecords {
  const last = db
    .select({ id: auditEntries.id, hash: auditEntries.hash })
    .from(auditEntries)
    .orderBy(desc(auditEntries.id))
    .limit(1)
    .prepare();

  return {
    addAudit: (draft) =>
      writes.run(() => {
        const before = last.get();
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
        .where(gt(auditEntries.id, afterId))
        .orderBy(asc(auditEntries.id))
        .limit(limit)
        .all(),
  };
}

/** What creates a task is done to a firmware or to another task; the id of the new one is in what came of it. */
const CREATIONS = ['verification.create', 'batch.create', 'task.reinitiate'];

function created(target: string): SQL | undefined {
  const [, taskId] = /^task\/(.+)$/.exec(target) ?? [];
  if (taskId === undefined) return undefined;
  return and(inArray(auditEntries.action, CREATIONS), sql`json_extract(${auditEntries.after}, '$.id') = ${taskId}`);
}
