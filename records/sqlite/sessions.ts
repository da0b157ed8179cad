import { and, eq, gt, lte } from 'drizzle-orm';
import type { NewSession, Records } from '../records.js';
import type { Connection } from './connection.js';
import { sessions, signInLinks } from './schema.js';

type SessionRecords = Pick<
  Records,
  'addSession' | 'getSession' | 'endSession' | 'addSignInLink' | 'redeemSignInLink' | 'forgetSessions'
>;

export function sessionRecords({ db, writes }: Connection): SessionRecords {
  const insert = (session: NewSession) => db.insert(sessions).values(session).run();

  return {
    addSession: (session) => writes.run(() => void insert(session)),

    async getSession(hash, atMs) {
      const row = db
        .select()
        .from(sessions)
        .where(and(eq(sessions.hash, hash), gt(sessions.expiresAtMs, atMs)))
        .get();
      if (!row) return undefined;
      const { hash: _, ...session } = row;
      return session;
    },

    endSession: (hash) => writes.run(() => void db.delete(sessions).where(eq(sessions.hash, hash)).run()),

    addSignInLink: (hash, expiresAtMs) =>
      writes.run(() => void db.insert(signInLinks).values({ hash, expiresAtMs }).run()),

    redeemSignInLink: (hash, session) =>
      writes.run(() => {
        // The delete decides who was first.
        const { changes } = db
          .delete(signInLinks)
          .where(and(eq(signInLinks.hash, hash), gt(signInLinks.expiresAtMs, session.createdAtMs)))
          .run();
        if (changes === 0) return false;
        insert(session);
        return true;
      }),

    forgetSessions: (beforeMs) =>
      writes.run(() => {
        db.delete(sessions).where(lte(sessions.expiresAtMs, beforeMs)).run();
        db.delete(signInLinks).where(lte(signInLinks.expiresAtMs, beforeMs)).run();
      }),
  };
}
