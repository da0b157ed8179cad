/**
 * The long attacks: `npm run fuzz -- [--seed N] [--cases N] [--only N]`, `npm run abuse -- [--minutes N]`.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const [which = 'fuzz', ...args] = process.argv.slice(2);
const { values } = parseArgs({
  args,
  options:
    which === 'abuse'
      ? { minutes: { type: 'string', default: '10' } }
      : { seed: { type: 'string' }, cases: { type: 'string', default: '200000' }, only: { type: 'string' } },
});
const env = { ...process.env };
for (const [name, value] of Object.entries(values)) env[`FERRY_${which.toUpperCase()}_${name.toUpperCase()}`] = value;
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'stack', `tests/fuzz/${which}.test.ts`], {
  stdio: 'inherit',
  env,
});
process.exit(status ?? 1);
