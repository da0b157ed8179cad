import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The note that Ferry leaves about the Temporal process it started, so that the next start knows its own orphan. */
interface ProcessNote {
  readonly pid: number;
  readonly database: string;
}

/** Whole or not at all: half a note would make a stranger of our own orphan. */
export async function noteProcess(path: string, note: ProcessNote): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(note), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export const forgetProcess = (path: string): Promise<void> => rm(path, { force: true });

/**
 * Kills the Temporal process that a killed Ferry left behind: its database outlives that (tests/chaos), and devices
 * wait. A process that does not serve this very database is a stranger whose number was reused: it is left alone.
 *
 * @returns the number of the process that was ended
 */
export async function endOrphan(path: string): Promise<number | undefined> {
  const pid = await orphanOf(path);
  if (pid === undefined) return undefined;
  await killProcess(pid);
  await forgetProcess(path);
  return pid;
}

/** The number of the Temporal process that the note is about, while it runs. */
export async function orphanOf(path: string): Promise<number | undefined> {
  const note = await readNote(path);
  return note && (await serves(note)) ? note.pid : undefined;
}

/** By what it calls itself, or, where a script has started it, by its working folder and its arguments. */
async function serves({ pid, database }: ProcessNote): Promise<boolean> {
  const command = await commandOf(pid);
  if (command.includes(database)) return true;
  return command.includes(`--db-filename ${basename(database)} `) && (await folderOf(pid)) === dirname(database);
}

const folderOf = (pid: number): Promise<string | undefined> => readlink(`/proc/${pid}/cwd`).catch(() => undefined);

async function readNote(path: string): Promise<ProcessNote | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(path, 'utf8'));
    const { pid, database } = note as Partial<ProcessNote>;
    return typeof pid === 'number' && typeof database === 'string' ? { pid, database } : undefined;
  } catch {
    return undefined;
  }
}

const commandOf = async (pid: number): Promise<string> =>
  run('ps', ['-p', String(pid), '-o', 'args=']).then(
    ({ stdout }) => stdout,
    () =>
      readFile(`/proc/${pid}/cmdline`, 'utf8').then(
        (command) => command.replaceAll('\0', ' '),
        () => '',
      ),
  );

const GRACE_MS = 6_000;
const POLL_MS = 50;

/** Asks the process to end, and kills it if it has not within the grace time. */
export async function endProcess(pid: number): Promise<void> {
  send(pid, 'SIGTERM');
  if (!(await hasEnded(pid))) await killProcess(pid);
}

/** For the last moment of this process: nothing can be waited for. */
export const killNow = (pid: number): boolean => send(pid, 'SIGKILL');

/** Resolves when the system has taken the process down, its ports and locks with it. */
async function killProcess(pid: number): Promise<void> {
  send(pid, 'SIGKILL');
  await hasEnded(pid);
}

async function hasEnded(pid: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < GRACE_MS; waitedMs += POLL_MS) {
    if (!isRunning(pid) || (await isZombie(pid))) return true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}

/**
 * Dead, and only not yet fetched by whoever inherited it. Its ports and locks are free once the last of its threads is
 * gone, not with its first one. Known on Linux.
 */
async function isZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z') && threads.length <= 1;
}

export const isRunning = (pid: number): boolean => send(pid, 0);

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
