import { desc, eq, isNull, and, getTableColumns } from 'drizzle-orm';
import { FerryError, notFound } from '../../domain/errors.js';
import { sameName } from '../../domain/principal-names.js';
import type { Records, Token } from '../records.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { requireProduct } from './products.js';
import { behind, boundPage, PAGE_LIMIT, pageOf, readCursor } from './paging.js';
import { preparedByShape } from './prepared.js';
import { sessions, tokens } from './schema.js';

type TokenRecords = Pick<Records, 'addToken' | 'listTokens' | 'getToken' | 'tokenByHash' | 'revokeToken' | 'tokenUsed'>;
type TokenRow = typeof tokens.$inferSelect;

export function tokenRecords(connection: Connection): TokenRecords {
  const { db, writes } = connection;
  const get = (id: string): TokenRow | undefined => db.select().from(tokens).where(eq(tokens.id, id)).get();
  const list = preparedByShape(getTableColumns(tokens), (given) =>
    db
      .select()
      .from(tokens)
      .where(behind([tokens.createdAtMs, tokens.id], given))
      .orderBy(desc(tokens.createdAtMs), desc(tokens.id))
      .limit(PAGE_LIMIT),
  );

  return {
    addToken: (token) =>
      writes.run(() => {
        if (token.productKey !== null) requireProduct(connection, token.productKey);
        const same = sameName(token.name);
        const valid = db.select({ name: tokens.name }).from(tokens).where(isNull(tokens.revokedAtMs)).all();
        const taken = valid.find(({ name }) => sameName(name) === same);
        if (taken) throw nameTaken(taken.name);
        try {
          return tokenOf(db.insert(tokens).values(token).returning().get());
        } catch (error) {
          if (!isUniqueViolation(error)) throw error;
          throw nameTaken(token.name);
        }
      }),

    async listTokens(page) {
      const rows = list.all(boundPage(readCursor(page.cursor, ['number', 'string']), page));
      return pageOf(rows, page, { key: (row) => [row.createdAtMs, row.id], item: tokenOf });
    },

    async getToken(id) {
      const row = get(id);
      return row && tokenOf(row);
    },

    async tokenByHash(hash) {
      const row = db.select().from(tokens).where(eq(tokens.hash, hash)).get();
      return row && tokenOf(row);
    },

    revokeToken: (id, atMs) =>
      writes.run(() => {
        const row = get(id);
        if (!row) throw notFound(`Token ${id}`);
        db.update(tokens)
          .set({ revokedAtMs: atMs })
          .where(and(eq(tokens.id, id), isNull(tokens.revokedAtMs)))
          .run();
        db.delete(sessions).where(eq(sessions.credential, row.hash)).run();
        return tokenOf(get(id) ?? row);
      }),

    tokenUsed: (id, atMs) =>
      writes.run(() => void db.update(tokens).set({ lastUsedAtMs: atMs }).where(eq(tokens.id, id)).run()),
  };
}

const nameTaken = (name: string): FerryError =>
  new FerryError(
    'token-exists',
    `name: a token named ${name} exists, or one that looks like it; choose another name, or revoke that one first.`,
    { errors: [{ field: 'name', message: 'is taken' }] },
  );

/** Its digest stays here. */
function tokenOf({ hash: _, ...token }: TokenRow): Token {
  return token;
}
