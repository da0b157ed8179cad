import { eq, lt } from 'drizzle-orm';
import { FerryError } from '../../domain/errors.js';
import type { Created, Idempotency } from '../records.js';
import type { Connection } from './connection.js';
import { idempotencyKeys } from './schema.js';

export interface Creation<T> {
  readonly idempotency: Idempotency | undefined;
  readonly atMs: number;
  /** Creates it and answers its id. */
  readonly create: () => string;
  /** Reads what has that id. */
  readonly read: (id: string) => T;
}

/**
 * Creates once per key: runs within a write, so that the key is committed with what it created.
 *
 * @throws FerryError `idempotency-key-reused`
 */
export function createOnce<T>({ db }: Pick<Connection, 'db'>, creation: Creation<T>): Created<T> {
  const { idempotency, atMs, create, read } = creation;
  if (idempotency === undefined) return { value: read(create()), replayed: false };
  const known = db.select().from(idempotencyKeys).where(eq(idempotencyKeys.key, idempotency.key)).get();
  if (known) {
    if (known.fingerprint === idempotency.fingerprint) return { value: read(known.resource), replayed: true };
    throw new FerryError(
      'idempotency-key-reused',
      'Idempotency-Key: this key was used for another request; use a new key for each request.',
    );
  }
  const resource = create();
  db.insert(idempotencyKeys)
    .values({ ...idempotency, resource, createdAtMs: atMs })
    .run();
  return { value: read(resource), replayed: false };
}

export const forgetIdempotencyKeys = ({ db }: Pick<Connection, 'db'>, beforeMs: number): void => {
  db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAtMs, beforeMs)).run();
};
