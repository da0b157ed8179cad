/** Bundles the benches and runs them: `npm run bench -- [1 1b 2 3 4 5 6 7 8] [--runs N] [--size small|full] [--profile] [--devices N,N]`. */
import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'dist', 'bench');

await build({
  entryPoints: [
    'bench/main.ts',
    'bench/lib/load-process.ts',
    'bench/raw-engine/raw-engine-process.ts',
    'bench/lib/bare-aedes-process.ts',
    'bench/lib/collect-garbage.ts',
    'bench/downloads/download-process.ts',
  ].map((path) => join(ROOT, path)),
  ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' },
  ...{ outdir: OUT, entryNames: '[name]', outExtension: { '.js': '.mjs' } },
});

const workflowsPath = join(ROOT, 'bench', 'raw-engine', 'workflow.ts');
const bundle = join(OUT, 'raw-workflow-bundle.js');
const changedMs = Math.max(...[workflowsPath, join(ROOT, 'package-lock.json')].map((path) => statSync(path).mtimeMs));
if ((statSync(bundle, { throwIfNoEntry: false })?.mtimeMs ?? 0) < changedMs) {
  const logger = new DefaultLogger('ERROR');
  const { code } = await bundleWorkflowCode({ workflowsPath, preloadModules: [workflowsPath], logger });
  writeFileSync(bundle, code);
}

const { status } = spawnSync(process.execPath, [join(OUT, 'main.mjs'), ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(status ?? 1);
