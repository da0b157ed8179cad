// Builds dist/: the command (bundled by esbuild, packages left outside), the workflows' bundle and the console, so that
// the service starts without compiling anything.
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');
const SOURCES = [
  'domain',
  'workflows',
  'activities',
  'records',
  'firmware',
  'broker',
  'api',
  'worker',
  'cli',
  'console',
  'scripts',
  'package-lock.json',
];

/** Builds if a source is newer than the last build. */
export async function ensureBuilt() {
  const built = await stat(STAMP).then(
    (s) => s.mtimeMs,
    () => 0,
  );
  if (built > 0 && (await newest(SOURCES.map((source) => join(ROOT, source)))) < built) return;
  await build();
}

async function newest(paths) {
  const times = await Promise.all(
    paths.map(async (path) => {
      const s = await stat(path).catch(() => undefined);
      if (!s) return 0;
      if (!s.isDirectory()) return s.mtimeMs;
      // A folder's own time tells of deleted files.
      return Math.max(s.mtimeMs, await newest((await readdir(path)).map((name) => join(path, name))));
    }),
  );
  return Math.max(0, ...times);
}

export async function build() {
  // Before anything is read: a file that changes meanwhile is newer than the build.
  const startedAt = new Date();
  const { build: esbuild } = await import('esbuild');
  await rm(DIST, { recursive: true, force: true });
  await mkdir(DIST, { recursive: true });
  await esbuild({
    absWorkingDir: ROOT,
    entryPoints: { ferry: 'cli/main.ts' },
    outdir: 'dist',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
  });
  await writeFile(join(DIST, 'workflow-bundle.js'), await bundleWorkflows());
  await buildConsole();
  await writeFile(STAMP, '');
  await utimes(STAMP, startedAt, startedAt);
}

/** The console's files, each beside its compressed forms: the server compresses nothing itself. */
async function buildConsole() {
  const { build: vite } = await import('vite');
  // Tests build too, under an environment of their own: the console is the same for all.
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  try {
    await vite({ configFile: join(ROOT, 'console/vite.config.mjs'), logLevel: 'warn' });
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = NODE_ENV;
  }
  const assets = join(DIST, 'console', 'assets');
  await Promise.all(
    (await readdir(assets)).map(async (name) => {
      const content = await readFile(join(assets, name));
      await writeFile(join(assets, `${name}.gz`), await promisify(gzip)(content, { level: 9 }));
      await writeFile(join(assets, `${name}.br`), await promisify(brotliCompress)(content));
    }),
  );
}

async function bundleWorkflows() {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const problems = [];
  const keep = (level) => (message) => level === 'error' && problems.push(message);
  const levels = ['trace', 'debug', 'info', 'warn', 'error'];
  const logger = {
    log: (level, message) => keep(level.toLowerCase())(message),
    ...Object.fromEntries(levels.map((l) => [l, keep(l)])),
  };
  const workflowsPath = join(ROOT, 'workflows/index.ts');
  // Evaluated once a thread and not for every run: right since no module keeps state, which lint sees to.
  const preloadModules = [join(ROOT, 'workflows/preloaded/stack-traces.ts'), workflowsPath];
  const { code } = await bundleWorkflowCode({ workflowsPath, preloadModules, logger }).catch((error) => {
    throw new Error(`The workflows do not bundle: ${problems.join('\n')}`, { cause: error });
  });
  return slim(code);
}

const INLINE_MAP = '//# sourceMappingURL=data:application/json;charset=utf-8;base64,';

/**
 * The SDK holds the code and its map several times. V8 takes two bytes for each character of a text with a single one
 * that is not Latin-1, and of the map only the positions are read: 13 MB of a service's memory (bench 5).
 */
function slim(bundle) {
  const [code, map, ...more] = bundle.split(INLINE_MAP);
  if (map === undefined || more.length > 0) throw new Error('The bundle of the workflows has not one source map.');
  const { sourcesContent: _, ...positions } = JSON.parse(Buffer.from(map, 'base64').toString());
  // In comments only: what is code stays as it is, also if it costs memory.
  const latin = code.replace(/^\s*(?:\*|\/\/).*$/gm, (comment) => comment.replace(/[^\0-\xff]/g, '?'));
  return `${latin}${INLINE_MAP}${Buffer.from(JSON.stringify(positions)).toString('base64')}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await build();
