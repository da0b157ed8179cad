import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';

const bundle = (file: string) => {
  const logger = new DefaultLogger('ERROR', () => undefined);
  return bundleWorkflowCode({ workflowsPath: join(PROJECT_FOLDER, file), logger });
};

describe('the workflows’ bundle', () => {
  it('holds the workflows and the domain, and nothing that has side effects or weighs much', async () => {
    const { code } = await bundle('workflows/index.ts');
    const sources = [
      ...code.matchAll(/\.\/((?:domain|workflows|activities|records|broker|api|worker|firmware)\/[\w./-]+\.ts)/g),
    ];
    const folders = new Set(sources.map(([, path = '']) => path.split('/')[0]));
    expect(folders).toEqual(new Set(['workflows', 'domain']));
    expect(code).not.toMatch(/better-sqlite3|drizzle|node_modules\/zod|node_modules\/hono/);
    expect(code.length).toBeLessThan(2_500_000);
  });

  it('as it is built is of Latin-1 only: of anything else each character would take two bytes, several times over', async () => {
    const built = await readFile(join(PROJECT_FOLDER, 'dist', 'workflow-bundle.js'), 'utf8');
    expect(built.match(/[^\0-\xff]/g)).toBeNull();
  });

  it('can’t be made of code that needs Node: the test above can fail', async () => {
    await expect(bundle('firmware/download-token.ts')).rejects.toThrow();
  });
});
