import type Database from 'better-sqlite3';

/** What a write may do besides its SQL: number its changes, and name the tasks that it touched. */
export interface WriteContext {
  /** The next change number, once for each changed row. */
  readonly nextChange: () => number;
  /** The first of as many change numbers in a row, for rows that one statement changes. */
  readonly nextChanges: (count: number) => number;
  readonly touched: (taskId: string) => void;
}

export type Write<T> = (context: WriteContext) => T;

interface Queued {
  readonly write: Write<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Done = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/**
 * Group commit: all writes of a tick share one transaction, each in a savepoint of its own, so that a refused one does
 * not spoil its neighbours. A promise settles only after the commit: broker and activities acknowledge on it.
 */
export class WriteQueue {
  private queued: Queued[] = [];
  private readonly listeners = new Set<(taskIds: ReadonlySet<string>) => void>();
  private readonly bumpChange;
  private closed = false;

  constructor(private readonly db: Database.Database) {
    this.bumpChange = db.prepare<[number], { value: number }>(
      'UPDATE change_counter SET value = value + ? RETURNING value',
    );
  }

  run<T>(write: Write<T>): Promise<T> {
    if (this.closed) return Promise.reject(new Error('The records are closed'));
    return new Promise<T>((resolve, reject) => {
      if (this.queued.length === 0) setImmediate(() => this.flush());
      this.queued.push({ write, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  onChange(listener: (taskIds: ReadonlySet<string>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Commits what is queued; later writes are refused. */
  close(): void {
    this.closed = true;
    this.flush();
  }

  private flush(): void {
    const batch = this.queued;
    if (batch.length === 0) return;
    this.queued = [];
    const touched = new Set<string>();
    let results: Done[];
    try {
      this.db.exec('BEGIN IMMEDIATE');
      results = batch.map(({ write }) => this.inSavepoint(write, touched));
      this.db.exec('COMMIT');
    } catch (error) {
      // Nothing of the batch is durable: each of its callers is told so.
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      for (const { reject } of batch) reject(error);
      return;
    }
    if (touched.size > 0) for (const listener of this.listeners) listener(touched);
    batch.forEach(({ resolve, reject }, i) => {
      const result = results[i];
      if (result?.ok) resolve(result.value);
      else reject(result?.error);
    });
  }

  private inSavepoint(write: Write<unknown>, touched: Set<string>): Done {
    const mine = new Set<string>();
    const nextChanges = (count: number) => (this.bumpChange.get(count)?.value ?? 0) - count + 1;
    const context: WriteContext = {
      nextChange: () => nextChanges(1),
      nextChanges,
      touched: (taskId) => void mine.add(taskId),
    };
    this.db.exec('SAVEPOINT write');
    try {
      const value = write(context);
      this.db.exec('RELEASE write');
      for (const taskId of mine) touched.add(taskId);
      return { ok: true, value };
    } catch (error) {
      // A full or broken disk ends the whole transaction by itself: then there is no savepoint to go back to.
      if (!this.db.inTransaction) throw error;
      this.db.exec('ROLLBACK TO write; RELEASE write');
      return { ok: false, error };
    }
  }
}
