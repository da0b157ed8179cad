/** The long chaos run: `npm run chaos -- [--seed N] [--kills N] [--devices N] [--figures FILE]`. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '32' },
    devices: { type: 'string', default: '200' },
    figures: { type: 'string' },
  },
});
const env = { ...process.env };
for (const [name, value] of Object.entries(values)) env[`FERRY_CHAOS_${name.toUpperCase()}`] = value;
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'stack', 'tests/chaos/chaos.test.ts'], {
  stdio: 'inherit',
  env,
});
process.exit(status ?? 1);
