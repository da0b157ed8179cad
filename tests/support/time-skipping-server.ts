import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../worker/temporal/cli-binary.js';

const run = promisify(execFile);

/** Temporal's time-skipping test server as Maven Central has it: the SDK's own download is tried first. */
const VERSION = '1.31.0';
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>ferry</groupId><artifactId>test-server</artifactId><version>1</version><dependencies><dependency>
<groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>${VERSION}</version>
</dependency></dependencies></project>`;

const DOWNLOAD_SCRIPT = `
  import { TestWorkflowEnvironment } from '@temporalio/testing';
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'cached-download', downloadDir: process.argv[1], ttl: '100 years' } },
  });
  await env.teardown();
`;

/** The path of an executable time-skipping server, fetched into Ferry's cache the first time. */
export async function findTimeSkippingServer(): Promise<string> {
  const folder = join(cacheFolder(process.env), `test-server-${VERSION}`);
  const executable = join(folder, 'test-server');
  if (await stat(executable).catch(() => undefined)) return executable;

  await mkdir(join(folder, '..'), { recursive: true });
  const fetched = await mkdtemp(join(folder, '..', 'fetch-'));
  try {
    await downloadInto(fetched).catch(() => buildWithMaven(fetched, folder));
    await rm(folder, { recursive: true, force: true });
    await rename(fetched, folder);
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
  return executable;
}

async function downloadInto(folder: string): Promise<void> {
  await run(process.execPath, ['--input-type=module', '-e', DOWNLOAD_SCRIPT, folder], { cwd: import.meta.dirname });
  const [name] = await readdir(folder);
  if (name === undefined) throw new Error('nothing arrived');
  await rename(join(folder, name), join(folder, 'test-server'));
}

async function buildWithMaven(folder: string, finalFolder: string): Promise<void> {
  const pom = join(folder, 'pom.xml');
  await writeFile(pom, POM);
  const copy = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  await run('mvn', [...copy, `-DoutputDirectory=${join(folder, 'jars')}`]).catch((error: unknown) => {
    throw new Error('The time-skipping tests need Temporal’s test server: install Java 17 and Maven.', {
      cause: error,
    });
  });
  const script = join(folder, 'test-server');
  const classpath = join(finalFolder, 'jars', '*');
  await writeFile(script, `#!/bin/sh\nexec java -cp '${classpath}' io.temporal.testserver.TestServer "$@"\n`);
  await chmod(script, 0o755);
}
