import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { environmentOfOthers } from '../environment-of-others.js';
import { StartupError } from '../startup-error.js';

const run = promisify(execFile);

/** The version that is built where nothing else is to be had; its server is the one the figures were measured with. */
const CLI_VERSION = '1.5.1';
const GO_PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${CLI_VERSION}`;
const GO_BUILD_TIMEOUT_MS = 30 * 60_000;

export interface CliSearch {
  readonly env: NodeJS.ProcessEnv;
  /** Told before something slow begins. */
  readonly onSlow: (message: string) => void;
}

/** Where Ferry keeps what is slow to fetch, outside any checkout. */
export const cacheFolder = (env: NodeJS.ProcessEnv): string =>
  env.FERRY_CACHE_DIR ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ferry');

/**
 * The path of a Temporal CLI, in the order of the design: TEMPORAL_CLI, PATH, Ferry's cache, the SDK's download, a
 * build with Go.
 *
 * @throws StartupError that says what to install
 */
export async function findTemporalCli({ env, onSlow }: CliSearch): Promise<string> {
  if (env.TEMPORAL_CLI !== undefined && env.TEMPORAL_CLI !== '') {
    const problem = await temporalCliProblem(env.TEMPORAL_CLI);
    if (problem === undefined) return env.TEMPORAL_CLI;
    throw new StartupError(`TEMPORAL_CLI: ${problem}.`);
  }
  const cached = join(cacheFolder(env), `temporal-${CLI_VERSION}`);
  const found = (await onPath(env)) ?? ((await isExecutable(cached)) ? cached : undefined);
  if (found !== undefined) return found;

  const refusals: string[] = [];
  for (const fetchCli of [download, buildWithGo]) {
    try {
      return await fetchCli(cached, onSlow);
    } catch (error) {
      refusals.push(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
    }
  }
  throw new StartupError(
    [
      'No Temporal CLI was found, and none could be fetched:',
      ...refusals.map((refusal) => `  ${refusal}`),
      'Install it (https://docs.temporal.io/cli), or Go 1.25 or later, or set TEMPORAL_CLI to its path,',
      'or set TEMPORAL_ADDRESS to use a Temporal service that runs elsewhere.',
    ].join('\n'),
  );
}

/** Why the path that `TEMPORAL_CLI` names can't be run. */
export const temporalCliProblem = async (path: string): Promise<string | undefined> =>
  (await isExecutable(path)) ? undefined : `${path} is not an executable file`;

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function onPath(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const candidate = join(folder, 'temporal');
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

/** Runs in a process of its own: starting the SDK's server would fix this process's SDK settings. */
const DOWNLOAD_SCRIPT = `
  import { TestWorkflowEnvironment } from '@temporalio/testing';
  const env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir: process.argv[1], ttl: '100 years' } },
  });
  await env.teardown();
`;

async function download(target: string, onSlow: CliSearch['onSlow']): Promise<string> {
  onSlow('Downloading the Temporal CLI (once) …');
  return fetchInto(target, async (folder) => {
    await run(process.execPath, ['--input-type=module', '-e', DOWNLOAD_SCRIPT, folder], {
      cwd: import.meta.dirname,
      env: environmentOfOthers(process.env, 'fetch'),
    }).catch((error: unknown) => {
      const text = String((error as { stderr?: unknown }).stderr ?? error);
      throw new Error(`download: ${/dns error|timed? ?out|refused|unreachable/i.exec(text)?.[0] ?? 'failed'}`);
    });
    const name = (await readdir(folder)).find((entry) => entry.startsWith('temporal'));
    if (name === undefined) throw new Error('download: nothing arrived');
    return name;
  });
}

async function buildWithGo(target: string, onSlow: CliSearch['onSlow']): Promise<string> {
  const { stdout } = await run('go', ['env', 'GOVERSION']).catch(() => {
    throw new Error('go: not installed');
  });
  onSlow(`Building the Temporal CLI ${CLI_VERSION} with ${stdout.trim()} (about 5 minutes, once) …`);
  return fetchInto(target, async (folder) => {
    await run('go', ['install', GO_PACKAGE], {
      env: { ...environmentOfOthers(process.env, 'fetch'), GOBIN: folder },
      timeout: GO_BUILD_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: unknown) => {
      throw new Error(
        `go install: ${String((error as { stderr?: unknown }).stderr ?? error)
          .trim()
          .slice(-300)}`,
      );
    });
    return 'temporal';
  });
}

/** Fetches into a folder of its own beside the target, then moves the file there: no half file is ever found. */
async function fetchInto(target: string, fetchCli: (folder: string) => Promise<string>): Promise<string> {
  const parent = join(target, '..');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'fetch-'));
  try {
    await rename(join(folder, await fetchCli(folder)), target);
    return target;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
