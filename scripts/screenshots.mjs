// npm run screenshots -- <folder>: every page of the console, light and dark, wide and phone, in both languages.
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name the folder to write to: npm run screenshots -- <folder>');
  process.exit(1);
}
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'screenshots'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, FERRY_SCREENSHOTS: resolve(folder) },
});
process.exit(status ?? 1);
