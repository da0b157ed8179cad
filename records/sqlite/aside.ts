import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

/** Waited for in the other thread, where nobody else waits with it. */
const BUSY_TIMEOUT_MS = 5_000;

/*
 * As text, so that it is the same however the service is built. The statements see the database at one moment; an error
 * is handed over by its parts, since SQLite's code is lost otherwise.
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const { driver, path, options, pragma, queries } = workerData;
let answer;
try {
  const db = new (require(driver))(path, options);
  try {
    if (pragma) db.pragma(pragma);
    answer = { rows: db.transaction(() => queries.map((query) => db.prepare(query).all()))() };
  } finally {
    db.close();
  }
} catch (error) {
  answer = { message: String(error.message), code: error.code };
}
parentPort.postMessage(answer);
`;

type Answer = { readonly rows: unknown[][] } | { readonly message: string; readonly code?: string };

interface Job {
  readonly path: string;
  readonly queries: readonly string[];
  readonly isRead: boolean;
  readonly pragma?: string;
}

const run = ({ path, queries, isRead, pragma }: Job): Promise<unknown[][]> =>
  new Promise((resolve, reject) => {
    const driver = createRequire(import.meta.url).resolve('better-sqlite3');
    const options = { fileMustExist: true, readonly: isRead, timeout: BUSY_TIMEOUT_MS };
    const workerData = { driver, path, options, pragma, queries };
    const worker = new Worker(THREAD, { eval: true, workerData, execArgv: [] });
    worker.once('message', (answer: Answer) => {
      if ('rows' in answer) resolve(answer.rows);
      else reject(Object.assign(new Error(answer.message), { code: answer.code }));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The thread has ended without an answer')));
  });

/**
 * Reads in a thread of its own what takes longer than a turn may, all of it as it is at one moment.
 *
 * @returns the rows of each query
 */
export const readAside = (path: string, queries: readonly string[]): Promise<unknown[][]> =>
  run({ path, queries, isRead: true });

/** Writes the log back into the database, as far as no reader needs it, in a thread of its own. */
export async function checkpointAside(path: string): Promise<void> {
  await run({ path, queries: [], isRead: false, pragma: 'wal_checkpoint(PASSIVE)' });
}
