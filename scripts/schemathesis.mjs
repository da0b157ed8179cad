// `npm run schemathesis`: sends what the OpenAPI document allows, and what it forbids, to a service of its own, and fails
// where answer and document differ. Bounded by examples and by time; the examples are the same in every run. Schemathesis is
// Python: it is kept in a virtual environment in the user's cache. More arguments are handed on to it, such as
// `--max-examples 100`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSION = '4.32.5';
const ROOT = join(import.meta.dirname, '..');
const TOKEN = 'schemathesis-schemathesis';
const CACHE = process.env.FERRY_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ferry');
/** Streams never end. Signing in is refused for a while after many failures, by design. */
const LEFT_OUT = ['streamEvents', 'streamTaskEvents', 'signIn', 'signOut'];
const BOUNDS = ['--generation-deterministic', '--max-examples', '8', '--request-timeout', '10'];
/** What a slow machine has not come to by then is left out. */
const TIME_MS = 150_000;
/** Malformed requests are refused as 400; 422 is a rule that no schema can say, such as a name that is taken. */
const CONFIG = `
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "413", "422", "429"]
`;

const children = [];
const folder = await mkdtemp(join(tmpdir(), 'ferry-schemathesis-'));
try {
  const program = await install();
  const url = await startService();
  await writeFile(join(folder, 'schemathesis.toml'), CONFIG);
  await copyFile(join(import.meta.dirname, 'schemathesis-hooks.py'), join(folder, 'hooks.py'));
  process.exitCode = await run(program, [
    ...['run', `${url}/openapi.json`, '--header', `Authorization: Bearer ${TOKEN}`],
    ...['--phases', 'examples,coverage,fuzzing', '--suppress-health-check', 'all', '--warnings', 'off', '--no-color'],
    // Many requests without a token are answered 429, by design; tests/api/permissions.test.ts asks each route without one.
    ...['--checks', 'all', '--exclude-checks', 'ignored_auth', '--generation-with-security-parameters', 'false'],
    // What counts as a control character differs with the release of Unicode beyond ASCII.
    ...['--generation-codec', 'ascii'],
    ...LEFT_OUT.flatMap((id) => ['--exclude-operation-id', id]),
    ...BOUNDS,
    ...process.argv.slice(2),
  ]);
} finally {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await new Promise((ended) => child.once('exit', ended));
  }
  await rm(folder, { recursive: true, force: true });
}

/** The program in its virtual environment, which is made once. */
async function install() {
  const target = join(CACHE, `schemathesis-${VERSION}`);
  if (!existsSync(join(target, 'ready'))) {
    await rm(target, { recursive: true, force: true });
    must('python3', ['-m', 'venv', target]);
    must(join(target, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`]);
    must('touch', [join(target, 'ready')]);
  }
  return join(target, 'bin', 'st');
}

function must(program, words) {
  const { status, error } = spawnSync(program, words, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

/** @returns its address, once it is ready */
function startService() {
  const service = spawn(process.execPath, [join(ROOT, 'bin', 'ferry.mjs'), 'up'], {
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FERRY_'))),
      FERRY_CACHE_DIR: CACHE,
      FERRY_DATA_DIR: join(folder, 'data'),
      FERRY_ADMIN_TOKEN: TOKEN,
      FERRY_LOG_LEVEL: 'error',
      ...{ FERRY_HTTP_PORT: '0', FERRY_MQTT_PORT: '0', FERRY_TEMPORAL_PORT: '0', FERRY_TEMPORAL_UI_PORT: '0' },
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  children.push(service);
  return new Promise((resolve, reject) => {
    let text = '';
    service.stderr.setEncoding('utf8').on('data', (piece) => {
      text += piece;
      const [, url] = /API +(http\S+)\/v1\n/.exec(text) ?? [];
      if (url !== undefined) resolve(url);
    });
    service.once('exit', () => reject(new Error(`The service has ended: ${text}`)));
  });
}

/** @returns its exit code; 0 where time was over before it had found a fault */
function run(program, words) {
  // What it writes by itself stays out of the checkout.
  const env = { ...process.env, SCHEMATHESIS_HOOKS: 'hooks', PYTHONPATH: folder };
  const child = spawn(program, words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    text += piece;
    process.stdout.write(piece);
  });
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    console.log(`\nThe time is over (${TIME_MS / 1_000} s).`);
    child.kill('SIGINT');
  }, TIME_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      const hasFaults = /FAILURES|ERRORS|❌|🚫/.test(text);
      resolve(isOver && !hasFaults ? 0 : (code ?? 1));
    });
  });
}
