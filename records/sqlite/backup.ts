import Database from 'better-sqlite3';
import { createSealer, isSealed, SEALED_BY_CHARACTERS } from '../sealing.js';
import { deviceOwner } from './device-secrets.js';
import { isNewerThan } from './migrations.js';

const BUSY_TIMEOUT_MS = 10_000;
/** Some 4 MB a step: the event loop stays free for a Ctrl-C. */
const PAGES_A_STEP = 1_000;

/** How far a copy is, in pages of the database. */
export type CopyProgress = (remainingPages: number) => void;

/**
 * Copies a SQLite database as it is at one moment, while other processes write to it. The copy is one file, without a
 * write-ahead log beside it, so that it can be read from where nothing can be written.
 *
 * @param progress may throw, which ends the copying
 * @throws what SQLite throws: the source is no database, the disk is full
 */
export async function copyDatabase(from: string, to: string, progress: CopyProgress = () => undefined): Promise<void> {
  const source = new Database(from, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    // Held open over all steps: without it, each write of another process makes SQLite begin the copy anew.
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_master').get();
    await source.backup(to, {
      progress: ({ remainingPages }) => {
        progress(remainingPages);
        return PAGES_A_STEP;
      },
    });
  } finally {
    source.close();
  }
  const copy = new Database(to);
  try {
    copy.pragma('journal_mode = DELETE');
  } finally {
    copy.close();
  }
}

/** What SQLite finds wrong in a database file; null when it is sound. The file is opened for writing, as SQLite wants. */
export function databaseFault(path: string): string | null {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { fileMustExist: true });
    const found = db.pragma('integrity_check(1)', { simple: true });
    return found === 'ok' ? null : String(found);
  } catch (error) {
    return String(error);
  } finally {
    db?.close();
  }
}

/** A firmware file that the records count on. */
export interface NeededFile {
  readonly sha256: string;
  readonly firmware: string;
}

export interface RecordCounts {
  readonly products: number;
  readonly devices: number;
  readonly firmware: number;
  readonly tasks: number;
  readonly openTasks: number;
  readonly openDeviceUpdates: number;
}

/** What lets somebody in, or decides what is let in. */
export interface Credentials {
  /** Names of the tokens that are good. */
  readonly tokens: readonly string[];
  /** That may sign in. */
  readonly devices: number;
  readonly revokedDevices: number;
  /** Whose firmware must be signed. */
  readonly productsWithTrustedKeys: number;
}

/** Reads a records database that no service has opened, such as a copy, or the live one beside a running service. */
export class RecordsFile {
  private readonly db: Database.Database;

  /** @throws when it can't be opened */
  constructor(path: string) {
    this.db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  }

  close(): void {
    this.db.close();
  }

  /** The number of the newest change. */
  lastChange(): number {
    return this.number('SELECT value FROM change_counter');
  }

  /** Written by a newer Ferry: it has been through more migrations than this one has. */
  isNewerThan(migrationsFolder: string): boolean {
    return isNewerThan(this.db, migrationsFolder);
  }

  /** Of all firmware that is not deleted; content that several share is named once, by one of them. */
  neededFiles(): readonly NeededFile[] {
    return this.db
      .prepare<[], NeededFile>(
        `SELECT sha256, min(product_key || ' ' || name || '@' || version) AS firmware
         FROM firmware WHERE deleted_at_ms IS NULL GROUP BY sha256 ORDER BY sha256`,
      )
      .all();
  }

  /** True when there are device secrets that only a key opens. */
  hasSealedSecrets(): boolean {
    return this.secretOfEachKey().some(({ secret }) => isSealed(secret));
  }

  /** Why the keys don't open the device secrets, if so: one secret of each key is tried. */
  secretsFault(keys: readonly Buffer[]): string | null {
    const sealer = createSealer(keys);
    try {
      for (const device of this.secretOfEachKey()) sealer.open(device.secret, deviceOwner(device));
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  private secretOfEachKey() {
    return this.db
      .prepare<[number], { productKey: string; deviceName: string; secret: string }>(
        `SELECT product_key AS productKey, device_name AS deviceName, device_secret AS secret
         FROM devices GROUP BY substr(device_secret, 1, ?)`,
      )
      .all(SEALED_BY_CHARACTERS);
  }

  isNeeded(sha256: string): boolean {
    const count = 'SELECT count(*) FROM firmware WHERE deleted_at_ms IS NULL AND sha256 = ?';
    return this.db.prepare<[string], number>(count).pluck().get(sha256) !== 0;
  }

  counts(): RecordCounts {
    const open = 'ended_at_ms IS NULL';
    return {
      products: this.number('SELECT count(*) FROM products'),
      devices: this.number('SELECT count(*) FROM devices'),
      firmware: this.number('SELECT count(*) FROM firmware WHERE deleted_at_ms IS NULL'),
      tasks: this.number('SELECT count(*) FROM tasks'),
      openTasks: this.number(`SELECT count(*) FROM tasks WHERE ${open}`),
      openDeviceUpdates: this.number(
        `SELECT coalesce(sum(pending + notified + upgrading), 0) FROM tasks WHERE ${open}`,
      ),
    };
  }

  credentials(nowMs: number): Credentials {
    const tokens =
      'SELECT name FROM tokens WHERE revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms >= ?)';
    return {
      tokens: this.db.prepare<[number], string>(`${tokens} ORDER BY name`).pluck().all(nowMs),
      devices: this.number('SELECT count(*) FROM devices WHERE revoked_at_ms IS NULL'),
      revokedDevices: this.number('SELECT count(*) FROM devices WHERE revoked_at_ms IS NOT NULL'),
      productsWithTrustedKeys: this.number("SELECT count(*) FROM products WHERE trusted_keys <> '[]'"),
    };
  }

  private number(query: string): number {
    return this.db.prepare<[], number>(query).pluck().get() ?? 0;
  }
}
