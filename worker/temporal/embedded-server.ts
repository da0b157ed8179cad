import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../domain/ids.js';
import { environmentOfOthers } from '../environment-of-others.js';
import { requireFreePort } from '../ports.js';
import { StartupError } from '../startup-error.js';
import { endOrphan, endProcess, forgetProcess, killNow, noteProcess } from './own-process.js';

export interface EmbeddedServerOptions {
  readonly cli: string;
  readonly database: string;
  readonly log: string;
  /** Where the note about the running process is kept. */
  readonly processNote: string;
  readonly port: number;
  readonly uiPort: number;
  /** `process`: survives a killed process; `power`: also a power cut, at about a third more CPU (design: measured). */
  readonly durability: 'process' | 'power';
}

export interface EmbeddedServer {
  readonly address: string;
  readonly uiUrl: string;
  readonly port: number;
  readonly uiPort: number;
  readonly pid: number;
  /** Resolves when the process has ended, asked or not. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts Temporal's dev server on loopback, persistent in WAL mode. It answers before it is ready: connect with
 * patience.
 *
 * @throws StartupError when a port is taken or the process ends at once; what the file system throws for the note
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  await endOrphan(options.processNote);
  const port = await requireFreePort(options.port, 'FERRY_TEMPORAL_PORT');
  const uiPort = await requireFreePort(options.uiPort, 'FERRY_TEMPORAL_UI_PORT');
  const child = await spawnServer(options, port, uiPort);
  const pid = child.pid ?? 0;
  // However this process ends by itself, a second Ctrl-C included: nothing is left behind.
  const endWithUs = () => killNow(pid);
  process.once('exit', endWithUs);
  void ended(child).then(() => process.off('exit', endWithUs));
  try {
    await noteProcess(options.processNote, { pid, database: options.database });
  } catch (error) {
    // Nobody would know of it, and its ports and its database would be taken for good.
    killNow(pid);
    await ended(child);
    throw error;
  }
  return {
    address: `127.0.0.1:${port}`,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    port,
    uiPort,
    pid,
    exited: ended(child),
    async stop() {
      await endProcess(pid);
      await forgetProcess(options.processNote);
    },
  };
}

async function spawnServer(options: EmbeddedServerOptions, port: number, uiPort: number): Promise<ChildProcess> {
  const log = await open(options.log, 'w', 0o600);
  try {
    // In a process group of its own: a Ctrl-C in the terminal must not end it before the worker has drained.
    const child = spawn(resolve(options.cli), serverArguments(options, port, uiPort), {
      detached: true,
      // Its database is named from here: the server makes a URI of the name, in which "#", "?" and "%" of a path mean
      // something else. What the process calls itself still tells whose it is (own-process.ts).
      cwd: dirname(options.database),
      argv0: `temporal ${options.database}`,
      env: environmentOfOthers(process.env, 'serve'),
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn').catch((error: unknown) => {
      throw new StartupError(`The Temporal CLI ${options.cli} could not be run: ${String(error)}`);
    });
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** What the development server sets for tests, or leaves as it is for a cluster of many machines. */
const DYNAMIC_CONFIG = [
  // A task in one of four partitions waits up to two seconds for a poll in another one, all else idle (decision 35).
  // Polls still go to all four, since an earlier release may have left tasks in them.
  'matching.numTaskqueueWritePartitions=1',
  // Else a task waits 50 ms between the history of a run and the task queue (decision 38).
  'history.transferProcessorMaxPollRPS=1000',
  // Else the tasks of the last half minute, done ones too, are gone through whenever a new one is read (decision 40).
  ...['transfer', 'timer', 'visibility'].map((queue) => `history.${queue}ProcessorUpdateAckInterval="1s"`),
  // Runs whose state is kept in memory for an hour, ended ones too: else 128,000 of them, some 20 kB each (decision 39).
  'history.hostLevelCacheMaxSize=4000',
  // Else the types of the search attributes are read from the database for every workflow task.
  'system.forceSearchAttributesCacheRefreshOnRead=false',
];

const serverArguments = (options: EmbeddedServerOptions, port: number, uiPort: number): string[] => [
  ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
  ...['--db-filename', basename(options.database), '--log-level', 'error'],
  ...['--sqlite-pragma', 'journal_mode=wal'],
  ...['--sqlite-pragma', `synchronous=${options.durability === 'power' ? 2 : 1}`],
  ...DYNAMIC_CONFIG.flatMap((value) => ['--dynamic-config-value', value]),
  ...Object.values(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
];

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

/** What the server's log says of its end: lines without Go's stack traces, for an error message. */
export const logTail = async (path: string): Promise<string> =>
  (await readFile(path, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s|^goroutine|\.go:\d+|^[\w./()*-]+\(.*\)$/.test(line))
    .slice(-5)
    .join('\n');
