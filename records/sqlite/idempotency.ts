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
export function createOnce<T>(connection: Pick<Connection, 'db'>, creation: Creation<T>): Created<T> {
  const { create, read } = creation;
  const known = knownResource(connection, creation);
  if (known !== undefined) return { value: read(known), replayed: true };
  const resource = create();
  keep(connection, creation, resource);
  return { value: read(resource), replayed: false };
}

/** Does the same as `createOnce`, where the creation is a long write (long-writes.ts). */
export async function createOnceInParts<T>(
  connection: Pick<Connection, 'db'>,
  creation: Omit<Creation<T>, 'create'> & { readonly create: () => Promise<string> },
): Promise<Created<T>> {
  const { create, read } = creation;
  const known = knownResource(connection, creation);
  if (known !== undefined) return { value: read(known), replayed: true };
  const resource = await create();
  keep(connection, creation, resource);
  return { value: read(resource), replayed: false };
}

type Keyed = Pick<Creation<unknown>, 'idempotency' | 'atMs'>;

function knownResource({ db }: Pick<Connection, 'db'>, { idempotency }: Keyed): string | undefined {
  if (idempotency === undefined) return undefined;
  const known = db.select().from(idempotencyKeys).where(eq(idempotencyKeys.key, idempotency.key)).get();
  if (known === undefined || known.fingerprint === idempotency.fingerprint) return known?.resource;
  throw new FerryError(
    'idempotency-key-reused',
    'Idempotency-Key: this key was used for another request; use a new key for each request.',
  );
}

function keep({ db }: Pick<Connection, 'db'>, { idempotency, atMs }: Keyed, resource: string): void {
  if (idempotency === undefined) return;
  db.insert(idempotencyKeys)
    .values({ ...idempotency, resource, createdAtMs: atMs })
    .run();
}

export const forgetIdempotencyKeys = ({ db }: Pick<Connection, 'db'>, beforeMs: number): void => {
  db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAtMs, beforeMs)).run();
};

/** Of what is deleted, so that a repeat does not answer what has the same id since. */
export const forgetIdempotencyKeysOf = ({ db }: Pick<Connection, 'db'>, resource: string): void => {
  db.delete(idempotencyKeys).where(eq(idempotencyKeys.resource, resource)).run();
};
