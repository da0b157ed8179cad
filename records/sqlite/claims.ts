import { and, eq, isNull, sql } from 'drizzle-orm';
import { FerryError } from '../../domain/errors.js';
import type { Conflict } from '../records.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { among, preparedByShape } from './prepared.js';
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

/** The task holds no version any more: another batch may take them from this commit on. */
export function releaseClaims({ db }: Pick<Connection, 'db'>, taskId: string, atMs: number): void {
  db.update(claims)
    .set({ releasedAtMs: atMs })
    .where(and(eq(claims.taskId, taskId), isNull(claims.releasedAtMs)))
    .run();
}

/** Which claims: of some versions, or all of the module; without those of a task itself. */
export type ConflictQuestion = Omit<Claim, 'sourceVersions'> & Partial<Claim>;

const HELD = {
  taskId: claims.taskId,
  version: claims.sourceVersion,
  firmwareId: firmware.id,
  name: firmware.name,
  firmwareVersion: firmware.version,
};

/** Finds the batches that hold versions; prepared, since forms and version lists ask for it as operators type. */
export function conflictFinder({ db }: Pick<Connection, 'db'>): (question: ConflictQuestion) => Conflict[] {
  const held = preparedByShape(HELD, (given) =>
    db
      .select(HELD)
      .from(claims)
      .innerJoin(tasks, eq(tasks.id, claims.taskId))
      .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
      .where(
        and(
          eq(claims.productKey, sql.placeholder('productKey')),
          eq(claims.module, sql.placeholder('module')),
          given('versions', (versions) => among(claims.sourceVersion, versions)),
          isNull(claims.releasedAtMs),
        ),
      ),
  );
  return ({ taskId, productKey, module, sourceVersions }) => {
    const versions = sourceVersions && JSON.stringify(sourceVersions);
    const conflicts = new Map<string, Conflict & { readonly sourceVersions: string[] }>();
    for (const { version, ...row } of held.all({ productKey, module, versions })) {
      // This task's own claims are still in the transaction that is about to be undone.
      if (row.taskId === taskId) continue;
      const known = conflicts.get(row.taskId);
      if (known) known.sourceVersions.push(version);
      else {
        const target = { id: row.firmwareId, name: row.name, version: row.firmwareVersion };
        conflicts.set(row.taskId, { taskId: row.taskId, firmware: target, sourceVersions: [version] });
      }
    }
    return [...conflicts.values()];
  };
}

function conflict(connection: Connection, claim: Claim): FerryError {
  const conflicts = conflictFinder(connection)(claim);
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
