// Runs before `npm start`, `npm run demo`, `npm test` and `npm run check`: installs the packages of the lock file and
// builds, each only if need be. Plain Node: nothing is installed when it starts.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST_NODE = [20, 19];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  fail(`Ferry needs Node ${OLDEST_NODE.join('.')} or later; this is ${process.versions.node}.`);
}

const modified = (path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes its own copy of the lock file last.
if (modified('node_modules/.package-lock.json') < modified('package-lock.json')) {
  console.error('Installing packages (npm ci) …');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) {
    fail(
      'npm ci failed. Where prebuilt packages cannot be downloaded, better-sqlite3 is compiled: that needs python3, make and a C++ compiler.',
    );
  }
}

if (!process.argv.includes('--no-build')) {
  const { ensureBuilt } = await import('./build.mjs');
  await ensureBuilt();
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
