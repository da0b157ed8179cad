import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_FOLDER } from './paths.js';

const BUNDLE = join(PROJECT_FOLDER, 'dist', 'workflow-bundle.js');

/** Where a worker, or a replay, has the workflows' code from: built ahead, since bundling at start costs seconds. */
export const workflowCode = () =>
  existsSync(BUNDLE)
    ? { workflowBundle: { codePath: BUNDLE } }
    : { workflowsPath: join(PROJECT_FOLDER, 'workflows', 'index.ts') };
