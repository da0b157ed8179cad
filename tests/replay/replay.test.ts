import { join } from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { SILENT_STORY } from '../../worker/replay/silent-story.js';
import { loadHistories } from './histories.js';

const saved = await loadHistories();
const today = { codePath: join(PROJECT_FOLDER, 'dist', 'workflow-bundle.js') };
let brokenTwin: { code: string };

beforeAll(async () => {
  const workflowsPath = join(import.meta.dirname, 'broken-twin.ts');
  brokenTwin = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
});

describe('the saved histories', () => {
  it('cover every workflow type', () => {
    const types = new Set(saved.map(({ name }) => /([A-Za-z]+)-[^/]*$/.exec(name)?.[1]));
    expect(types).toEqual(new Set(['batchUpdate', 'deviceUpdate', 'shard', 'verification']));
  });

  it.each(saved)('$name replays against today’s workflows', async ({ history }) => {
    await Worker.runReplayHistory({ workflowBundle: today, sinks: SILENT_STORY }, history);
  });

  it.each(saved)('$name does not replay against a broken twin', async ({ history }) => {
    await expect(Worker.runReplayHistory({ workflowBundle: brokenTwin }, history)).rejects.toThrow(
      DeterminismViolationError,
    );
  });
});
