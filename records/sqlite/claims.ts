import { and, eq, inArray, isNull } from 'drizzle-orm';
import { FerryError } from '../../domain/errors.js';
import type { Conflict } from '../records.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { claims, firmware, tasks } from './schema.js';

export interface Claim {
  readonly taskId: string;
  readonly productKey: string;
  readonly module: string;
  readonly sourceVersions: readonly string[];
}

/**
 * Claims the source versions for a batch: the unique index decides, not a look-up [seed: conflict].
 *
 * @throws FerryError `update-task-conflict` naming each other task, its firmware and the versions
 */
export function claimVersions(connection: Connection, claim: Claim): void {
  const { taskId, productKey, module, sourceVersions } = claim;
  try {
    for (const sourceVersion of sourceVersions) {
      connection.db.insert(claims).values({ taskId, productKey, module, sourceVersion }).run();
    }
  } catch (error) {
    throw isUniqueViolation(error) ? conflict(connection, claim) : error;
  }
}

/** The batches that hold some of these versions, or any when none are named; without those of a task itself. */
export function conflictsOf(
  { db }: Pick<Connection, 'db'>,
  { taskId, productKey, module, sourceVersions }: Omit<Claim, 'sourceVersions'> & Partial<Claim>,
): Conflict[] {
  const held = db
    .select({ taskId: claims.taskId, version: claims.sourceVersion, firmware })
    .from(claims)
    .innerJoin(tasks, eq(tasks.id, claims.taskId))
    .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
    .where(
      and(
        eq(claims.productKey, productKey),
        eq(claims.module, module),
        sourceVersions && inArray(claims.sourceVersion, [...sourceVersions]),
        isNull(claims.releasedAtMs),
      ),
    )
    .all()
    // This task's own claims are still in the transaction that is about to be undone.
    .filter((row) => row.taskId !== taskId);
  return [...new Set(held.map((row) => row.taskId))].map((id) => {
    const rows = held.filter((row) => row.taskId === id);
    const { name, version, id: firmwareId } = rows[0]?.firmware ?? { name: '', version: '', id: '' };
    return { taskId: id, firmware: { id: firmwareId, name, version }, sourceVersions: rows.map((row) => row.version) };
  });
}

function conflict(connection: Connection, claim: Claim): FerryError {
  const conflicts = conflictsOf(connection, claim);
  const others = conflicts.map(
    (other) =>
      `task ${other.taskId} updates ${other.sourceVersions.join(', ')} to ${other.firmware.name} ${other.firmware.version}`,
  );
  return new FerryError(
    'update-task-conflict',
    `Update task conflict: ${others.join('; ')}. Wait for its end, cancel it, or name other source versions.`,
    { conflicts },
  );
}
