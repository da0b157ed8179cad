import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';

/** A database that a newer Ferry has brought to a schema which this one does not know. */
export class NewerSchema extends Error {
  override readonly name = 'NewerSchema';
}

interface Migration {
  readonly tag: string;
  /** When it was made: the migrator applies those that are newer than the newest that was applied. */
  readonly when: number;
}

function migrationsIn(folder: string): readonly Migration[] {
  const journal = readFileSync(join(folder, 'meta', '_journal.json'), 'utf8');
  return (JSON.parse(journal) as { readonly entries: readonly Migration[] }).entries;
}

/** Of all migrations that the database has been through; none where it is new. */
function appliedTo(db: Database.Database): readonly number[] {
  const table = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '__drizzle_migrations'").get();
  if (table === undefined) return [];
  return db.prepare<[], number>('SELECT created_at FROM __drizzle_migrations').pluck().all();
}

/** Written by a newer Ferry: it has been through a newer migration, or more of them, than this one has. */
export function isNewerThan(db: Database.Database, folder: string): boolean {
  const applied = appliedTo(db);
  const known = migrationsIn(folder);
  return applied.length > known.length || Math.max(0, ...applied) > Math.max(0, ...known.map(({ when }) => when));
}

/** @throws NewerSchema before anything of the database is changed */
export function requireKnownSchema(db: Database.Database, path: string, folder: string): void {
  if (!isNewerThan(db, folder)) return;
  throw new NewerSchema(
    `The database ${path} was written by a newer Ferry, and this one would damage it. Start the newer Ferry, or restore a backup that this one has made.`,
  );
}

/** @throws Error for a migration that is older than one that was applied before: the migrator passes over it */
export function requireWholeSchema(db: Database.Database, folder: string): void {
  const applied = new Set(appliedTo(db));
  const missing = migrationsIn(folder).find(({ when }) => !applied.has(when));
  if (missing) throw new Error(`the migration ${missing.tag} was passed over, since a later one was applied first`);
}
