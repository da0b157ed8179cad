import { VERSION } from '../worker/paths.js';
import { processIo } from './io.js';
import { runCli } from './program.js';

/** After the command is done: time for what is still open to close by itself. */
const LINGER_MS = 3_000;

// What it writes is for its owner only: records, backups, keys. Temporal inherits it.
process.umask(0o077);

// `ferry tasks | head` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

// Nobody hears of it any more: the service goes on, and what it is told to do is done.
process.stderr.on('error', () => undefined);

process.exitCode = await runCli(process.argv.slice(2), processIo(), { version: VERSION });
setTimeout(() => process.exit(), LINGER_MS).unref();
