import { and, asc, desc, eq, gt, lt, sql, type Column, type SQL } from 'drizzle-orm';
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
      const found = (aim: SQL | undefined) =>
        db
          .select()
          .from(auditEntries)
          .where(
            and(
              aim,
              given(auditEntries.actor, actor, aim),
              given(auditEntries.action, action, aim),
              given(auditEntries.productKey, productKey, aim),
              cursor && lt(auditEntries.id, Number(cursor[0])),
            ),
          )
          .orderBy(desc(auditEntries.id))
          .limit(page.limit + 1)
          .all();
      const rows = found(target === undefined ? undefined : eq(auditEntries.target, target));
      const taskId = target !== undefined && mayBeCreation(action) ? taskIdOf(target) : undefined;
      // Nothing that creates a task is done to the same task: no entry is found twice.
      if (taskId !== undefined) rows.push(...found(created(taskId)));
      rows.sort((one, other) => other.id - one.id);
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

/** Beside an aim, `+` keeps the other conditions from its index: theirs may hold most of the log. */
const given = (column: Column, value: string | undefined, aim: SQL | undefined): SQL | undefined => {
  if (value === undefined) return undefined;
  return aim === undefined ? eq(column, value) : sql`+${column} = ${value}`;
};

/** What creates a task is done to a firmware or to another task; the id of the new one is in what came of it. */
const CREATIONS = ['verification.create', 'batch.create', 'task.reinitiate'];

const mayBeCreation = (action: string | undefined): boolean => action === undefined || CREATIONS.includes(action);

/** Of a task as a whole: none for a device of a task, which nothing creates. */
const taskIdOf = (target: string): string | undefined => /^task\/([^/]+)$/.exec(target)?.[1];

/** In the words of the partial index, without which each creation that there ever was would be read. */
const IS_CREATION = sql.raw(`action IN (${CREATIONS.map((action) => `'${action}'`).join(', ')})`);

const created = (taskId: string): SQL => sql`(${IS_CREATION} AND ${auditEntries.after} ->> '$.id' = ${taskId})`;
