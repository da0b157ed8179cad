import type Database from 'better-sqlite3';
import { storageLocked, storageUnavailable } from '../../domain/errors.js';

/** What a write may do besides its SQL: number its changes, and name the tasks that it touched. */
export interface WriteContext {
  /** The next change number, once for each changed row. */
  readonly nextChange: () => number;
  /** The first of as many change numbers in a row, for rows that one statement changes. */
  readonly nextChanges: (count: number) => number;
  readonly touched: (taskId: string) => void;
  /** The same where the statement does not tell which. */
  readonly touchedSome: () => void;
}

/** Tasks that a commit has touched; null: some, and nobody asked which. */
export type Touched = ReadonlySet<string> | null;

export type Write<T> = (context: WriteContext) => T;

/** Between two commits, if there is more than one to do. */
const COMMIT_GAP_MS = 4;

interface Queued {
  readonly write: Write<unknown>;
  /** It is a single statement, which undoes itself when it is refused. */
  readonly isStatement: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly sinceMs: number;
}

/** How writes meet the lock of another program, such as a `sqlite3` shell in a transaction. */
export interface LockPatience {
  /** A write that has waited longer is refused. */
  readonly writeMs: number;
  /** A lock that has lasted longer is told as an outage. */
  readonly outageMs: number;
  /** Between two tries: each may hold up everything for the busy timeout of the connection, a tenth of this. */
  readonly retryMs: number;
}
export const LOCK_PATIENCE: LockPatience = { writeMs: 5_000, outageMs: 1_000, retryMs: 100 };
/** For what is queued at the end of the process. */
const LAST_PATIENCE_MS = 2_000;

interface Touching {
  readonly tasks: Set<string>;
  some: boolean;
}

type Done = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** Faults of disk or file: what the transaction holds can't be trusted, so none of it is committed. */
const STORAGE_FAULT = /^SQLITE_(FULL|IOERR|NOMEM|CORRUPT|NOTADB|READONLY|CANTOPEN)/;

/** Of those, the ones that end when the disk has room or may be written again. */
const DISK_REFUSES = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN)/;

export const isLocked = (error: unknown): boolean =>
  /^SQLITE_(BUSY|LOCKED)/.test((error as { code?: string }).code ?? '');

export const isStorageFault = (error: unknown): boolean => STORAGE_FAULT.test((error as { code?: string }).code ?? '');

/** The refusal of what the disk or another program's lock does not allow; undefined for other errors. */
export function unavailability(error: unknown): Error | undefined {
  if (isLocked(error)) return storageLocked();
  if (!DISK_REFUSES.test((error as { code?: string }).code ?? '')) return undefined;
  return storageUnavailable(error instanceof Error ? error.message : String(error));
}

/** What each caller of a batch is told that was not committed: its own error, since stacks are added to it. */
export function refusalOf(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  return (
    unavailability(error) ??
    new Error(`The records could not be written, nothing of this write is kept: ${message}`, { cause: error })
  );
}

/** Numbers the changes of one transaction. They are counted here and stored once; a refused write leaves a gap. */
export class ChangeNumbers {
  private readonly lastChange;
  private readonly setChange;
  private stored = 0;
  private last = 0;

  constructor(db: Database.Database) {
    this.lastChange = db.prepare<[], { value: number }>('SELECT value FROM change_counter');
    this.setChange = db.prepare<[number]>('UPDATE change_counter SET value = ?');
  }

  /** Reads the number of the last change. The caller has begun the transaction. */
  begin(): void {
    this.stored = this.lastChange.get()?.value ?? 0;
    this.last = this.stored;
  }

  /** @returns the first of as many numbers in a row */
  take(count: number): number {
    const first = this.last + 1;
    this.last += count;
    return first;
  }

  /** Writes the last number that was taken. The caller commits afterwards. */
  store(): void {
    if (this.last > this.stored) this.setChange.run(this.last);
  }
}

/**
 * Group commit: all writes of a few milliseconds share one transaction, each in a savepoint of its own, so that a refused one does
 * not spoil its neighbours. A promise settles only after the commit: broker and activities acknowledge on it.
 */
export class WriteQueue {
  private queued: Queued[] = [];
  private readonly listeners = new Set<(taskIds: Touched) => void>();
  private readonly sql;
  private flushedAtMs = -COMMIT_GAP_MS;
  private closed = false;
  /** Settles when no long write is open. */
  private exclusive: Promise<unknown> = Promise.resolve();
  private isHeld = false;
  private readonly changes;
  private failing = false;
  private lockedSinceMs: number | undefined;

  constructor(
    private readonly db: Database.Database,
    private readonly patience: LockPatience = LOCK_PATIENCE,
  ) {
    this.sql = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      savepoint: db.prepare('SAVEPOINT write'),
      release: db.prepare('RELEASE write'),
      undo: db.prepare('ROLLBACK TO write'),
      // The same value again: a page is written all the same.
      touch: db.prepare('UPDATE change_counter SET value = value'),
    };
    this.changes = new ChangeNumbers(db);
  }

  run<T>(write: Write<T>): Promise<T> {
    return this.enqueue(write, false);
  }

  /** As `run`, for a write of one statement: without the two statements of a savepoint around it. */
  runStatement<T>(write: Write<T>): Promise<T> {
    return this.enqueue(write, true);
  }

  /**
   * Runs a long write on a connection of its own, one such at a time: nothing else is committed meanwhile, and what comes
   * is committed afterwards, in its order.
   *
   * @param work answers its value, and the tasks that it has touched
   */
  async exclusively<T>(work: () => Promise<{ readonly value: T; readonly touched: Touched }>): Promise<T> {
    if (this.closed) throw new Error('The records are closed');
    const before = this.exclusive;
    const run = (async () => {
      await before;
      // What came first is committed first.
      this.flush();
      this.isHeld = true;
      try {
        return await work();
      } finally {
        this.isHeld = false;
        if (this.queued.length > 0) this.schedule();
      }
    })();
    this.exclusive = run.catch(() => undefined);
    const { value, touched } = await run;
    this.tell(touched);
    return value;
  }

  private enqueue<T>(write: Write<T>, isStatement: boolean): Promise<T> {
    if (this.closed) return Promise.reject(new Error('The records are closed'));
    return new Promise<T>((resolve, reject) => {
      if (this.queued.length === 0) this.schedule();
      const sinceMs = performance.now();
      this.queued.push({ write, isStatement, resolve: resolve as (value: unknown) => void, reject, sinceMs });
    });
  }

  /** At once after a pause; else with what comes in the next few milliseconds: a commit costs more than most writes. */
  private schedule(): void {
    const waitMs = this.flushedAtMs + COMMIT_GAP_MS - performance.now();
    if (waitMs <= 0) setImmediate(() => this.flush());
    else setTimeout(() => this.flush(), waitMs);
  }

  /**
   * Rejects while the disk can't be written, or another program's lock lasts; looks only when a write has met that, and
   * has nothing to write then.
   */
  async probe(): Promise<void> {
    if (!this.failing && this.lockedSinceMs === undefined) return;
    if (this.lockedSinceMs !== undefined && this.queued.length > 0) {
      // What waits already finds out whether the lock has gone.
      if (performance.now() - this.lockedSinceMs >= this.patience.outageMs) throw storageLocked();
      return;
    }
    await this.run(() => {
      this.sql.touch.run();
    });
  }

  /** Another program's lock has made writes wait. */
  get isLockedOut(): boolean {
    return this.lockedSinceMs !== undefined;
  }

  onChange(listener: (taskIds: Touched) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Commits what is queued; later writes are refused, and a long one is given up at its next part. */
  async close(): Promise<void> {
    this.closed = true;
    await this.exclusive;
    if (this.lockedSinceMs !== undefined) this.db.pragma(`busy_timeout = ${LAST_PATIENCE_MS}`);
    this.flush();
  }

  private flush(): void {
    const batch = this.queued;
    if (batch.length === 0 || this.isHeld) return;
    this.flushedAtMs = performance.now();
    this.queued = [];
    const touched: Touching = { tasks: new Set(), some: false };
    let results: Done[];
    try {
      if (!this.begin()) return this.waitForLock(batch);
      results = this.commit(batch, touched);
    } catch (error) {
      // Nothing of the batch is durable: each of its callers is told so.
      const isUndone = this.undo();
      this.failing = isStorageFault(error) || !isUndone;
      for (const { reject } of batch) reject(refusalOf(error));
      return;
    }
    this.failing = false;
    batch.forEach(({ resolve, reject }, i) => {
      const result = results[i];
      if (result?.ok) resolve(result.value);
      else reject(result?.error);
    });
    if (touched.some) this.tell(null);
    else if (touched.tasks.size > 0) this.tell(touched.tasks);
  }

  /** @returns false while another program holds the database locked */
  private begin(): boolean {
    // One that could not be rolled back when it failed.
    if (this.db.inTransaction) this.db.exec('ROLLBACK');
    try {
      this.sql.begin.run();
      this.lockedSinceMs = undefined;
      return true;
    } catch (error) {
      if (isLocked(error)) return false;
      throw error;
    }
  }

  /** The batch is tried again, before what has come since; without those that have waited long enough. */
  private waitForLock(batch: readonly Queued[]): void {
    const nowMs = performance.now();
    this.lockedSinceMs ??= nowMs;
    const isPatient = ({ sinceMs }: Queued) => !this.closed && nowMs - sinceMs < this.patience.writeMs;
    this.queued = [...batch.filter(isPatient), ...this.queued];
    if (this.queued.length > 0) setTimeout(() => this.flush(), this.patience.retryMs);
    for (const queued of batch) if (!isPatient(queued)) queued.reject(storageLocked());
  }

  /** @returns false when not even that works: the next batch tries it first */
  private undo(): boolean {
    try {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      return true;
    } catch {
      return false;
    }
  }

  private commit(batch: readonly Queued[], touched: Touching): Done[] {
    this.changes.begin();
    const context: WriteContext = {
      nextChange: () => this.changes.take(1),
      nextChanges: (count) => this.changes.take(count),
      touched: (taskId) => void touched.tasks.add(taskId),
      touchedSome: () => void (touched.some = true),
    };
    const results = batch.map(({ write, isStatement }) =>
      isStatement ? this.alone(write, context) : this.inSavepoint(write, context),
    );
    this.changes.store();
    this.sql.commit.run();
    return results;
  }

  private alone(write: Write<unknown>, context: WriteContext): Done {
    try {
      return { ok: true, value: write(context) };
    } catch (error) {
      if (!this.db.inTransaction || isStorageFault(error)) throw error;
      return { ok: false, error };
    }
  }

  private inSavepoint(write: Write<unknown>, context: WriteContext): Done {
    const mine = new Set<string>();
    this.sql.savepoint.run();
    try {
      const value = write({ ...context, touched: (taskId) => void mine.add(taskId) });
      this.sql.release.run();
      mine.forEach(context.touched);
      return { ok: true, value };
    } catch (error) {
      // A full or broken disk may have ended the whole transaction: then there is no savepoint to go back to.
      if (!this.db.inTransaction || isStorageFault(error)) throw error;
      this.sql.undo.run();
      this.sql.release.run();
      return { ok: false, error };
    }
  }

  /** The writes are committed and settled: a listener's fault is no fault of theirs, nor of the other listeners. */
  private tell(taskIds: Touched): void {
    for (const listener of this.listeners) {
      try {
        listener(taskIds);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
