import 'vitest';
import type { TestProject } from 'vitest/node';
import { ensureBuilt } from '../../scripts/build.mjs';
import { findTemporalCli } from '../../worker/temporal/cli-binary.js';
import { findTimeSkippingServer } from './time-skipping-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    temporalCli: string;
    timeSkippingServer: string;
  }
}

/** Fetches once what the tests run against, and builds once what they start: they begin from the same ground. */
export default async function setup(project: TestProject): Promise<void> {
  await ensureBuilt();
  const [cli, testServer] = await Promise.all([
    findTemporalCli({ env: process.env, onSlow: (message) => process.stderr.write(`${message}\n`) }),
    findTimeSkippingServer(),
  ]);
  project.provide('temporalCli', cli);
  project.provide('timeSkippingServer', testServer);
}
