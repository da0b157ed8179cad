import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT_FOLDER } from '../worker/paths.js';
import { runBatch } from './batch/batch.js';
import { runCancel } from './cancel/cancel.js';
import { runDownloads } from './downloads/downloads.js';
import { idleOnBareAedes, idleOnFerry } from './idle/idle.js';
import { cellsOf, tableOf, writeResult } from './lib/stats.js';
import { publishByBareAedes, runNotification, runResend } from './notification/notification.js';
import { runReads } from './reads/reads.js';
import { runRetention } from './retention/retention.js';
import { runSoak } from './soak/soak.js';
import { reportsToBareAedes, reportsToFerry } from './reports/reports.js';

/*
 * `npm run bench -- [1 1b 2 3 4 5 6 7 8 9 soak] [--runs N] [--size small|full] [--profile] [--devices N,N]`; the numbers
 * are those of docs/performance.md.
 */

type Figures = Readonly<Record<string, number>>;
type Size = 'small' | 'full';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    size: { type: 'string', default: 'full' },
    out: { type: 'string', default: join(PROJECT_FOLDER, 'bench', 'results') },
    profile: { type: 'boolean', default: false },
    /** Of benches 2 and 9, in place of their own sizes. */
    devices: { type: 'string' },
  },
});
const runs = Number(values.runs);
const size = values.size as Size;
const of = (small: number, full: number): number => (size === 'small' ? small : full);
const profile = values.profile ? join(values.out, 'profiles') : undefined;
if (profile !== undefined) mkdirSync(profile, { recursive: true });

/** Each once, then each again: so that what disturbs the machine disturbs all of them. */
async function compare(subjects: Readonly<Record<string, () => Promise<Figures>>>) {
  const results: Record<string, Figures[]> = {};
  for (let n = 0; n < runs; n++) {
    for (const [name, run] of Object.entries(subjects)) (results[name] ??= []).push(await run());
  }
  return Object.fromEntries(Object.entries(results).map(([name, figures]) => [name, cellsOf(figures)]));
}

async function rawEngine(children: number): Promise<Figures> {
  const child = fork(join(import.meta.dirname, 'raw-engine-process.mjs'), [String(children)]);
  const [figures] = (await once(child, 'message')) as [Figures];
  await once(child, 'exit');
  return figures;
}

const sizes = (): number[] =>
  values.devices === undefined
    ? [of(20, 1_000), of(60, 5_000), ...(size === 'full' ? [20_000] : [])]
    : values.devices.split(',').map(Number);

const cancelSizes = (): number[] => (values.devices === undefined ? [of(20, 10_000)] : sizes());

const benches: Readonly<
  Record<string, { title: string; run: () => Promise<Record<string, ReturnType<typeof cellsOf>>> }>
> = {
  '1': {
    title: '1: a batch of online devices, 3 reports each, and the raw engine',
    run: () => {
      const devices = of(40, 1_000);
      return compare({
        'raw engine': () => rawEngine(devices),
        Ferry: () => runBatch({ devices, reports: 3, profile }),
      });
    },
  },
  '1b': {
    title: '1b: the same with 5 and with 20 reports a device',
    run: () => {
      const devices = of(40, 1_000);
      return compare({
        '5 reports': () => runBatch({ devices, reports: 5 }),
        '20 reports': () => runBatch({ devices, reports: 20 }),
      });
    },
  },
  '2': {
    title: '2: the same with more devices',
    run: () =>
      compare(
        Object.fromEntries(sizes().map((devices) => [`${devices} devices`, () => runBatch({ devices, reports: 3 })])),
      ),
  },
  '3': {
    title: '3: progress reports, acknowledged once durable, and bare aedes',
    run: () => {
      const options = { connections: of(20, 500), messages: of(10, 300), profile };
      return compare({
        'bare aedes': () => reportsToBareAedes(options),
        Ferry: () => reportsToFerry(options),
      });
    },
  },
  '4': {
    title: '4: from the acceptance of a batch, or from coming online, to notifications',
    run: () => {
      const devices = of(20, 1_000);
      return compare({
        'bare aedes': () => publishByBareAedes({ devices }),
        Ferry: () => runNotification({ devices }),
        resend: () => runResend({ devices: of(5, 50) }),
      });
    },
  },
  '5': {
    title: '5: idle connected devices, and a mass reconnect of all of them',
    run: () => {
      const looks = { stillLooks: of(1, 10), restSeconds: of(0, 30) };
      const options = { connections: of(50, 10_000), ...looks, profile };
      return compare({
        'bare aedes': () => idleOnBareAedes(options),
        'bare aedes beside an idle worker': () => idleOnBareAedes(options, true),
        Ferry: () => idleOnFerry(options),
      });
    },
  },
  '6': {
    title: '6: reads of large records, and the bare query; what the service asks by itself',
    run: async () => {
      const options = {
        ...{ tasks: of(20, 2_000), deviceUpdates: of(2_000, 1_000_000) },
        ...{ largest: of(1_020, 510_000), open: of(200, 100_000), repeats: of(20, 2_000) },
      };
      const results: Record<string, Figures[]> = {};
      for (let n = 0; n < runs; n++) {
        for (const [name, figures] of Object.entries(await runReads(options))) (results[name] ??= []).push(figures);
      }
      return Object.fromEntries(Object.entries(results).map(([name, figures]) => [name, cellsOf(figures)]));
    },
  },
  '7': {
    title: '7: downloads at once, and node:http',
    run: () => {
      const options = { downloads: of(10, 200), bytes: of(100_000, 10 * 1024 * 1024) };
      return compare({ 'node:http': () => runDownloads('bare', options), Ferry: () => runDownloads('ferry', options) });
    },
  },
  '8': {
    title: '8: a batch on 90 days of records, with the retention job at work and without it',
    run: async () => {
      const history = { tasks: of(36, 10_000), devicesATask: of(100, 1_000), fleet: of(200, 100_000) };
      const results = await runRetention({ ...history, devices: of(40, 1_000), runs });
      return Object.fromEntries(Object.entries(results).map(([name, figures]) => [name, cellsOf(figures)]));
    },
  },
  '9': {
    title: '9: the cancellation of a batch whose devices are away, beside its start',
    run: () =>
      compare(Object.fromEntries(cancelSizes().map((devices) => [`${devices} devices`, () => runCancel({ devices })]))),
  },
  soak: {
    title: 'soak: the same devices updated again and again, and what the service holds meanwhile',
    run: () => {
      const looks = { stillLooks: of(1, 5), restSeconds: of(0, 10) };
      return compare({ Ferry: () => runSoak({ batches: of(6, 300), devices: of(20, 200), ...looks }) });
    },
  },
};

/** Runs for most of an hour: only when it is named. */
const BY_NAME_ONLY = ['soak'];

const named =
  positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !BY_NAME_ONLY.includes(name));
for (const name of named) {
  const bench = benches[name];
  if (!bench) throw new Error(`There is no bench ${name}: ${Object.keys(benches).join(', ')}`);
  const cells = await bench.run();
  console.log(tableOf(bench.title, cells));
  writeResult(values.out, `${name}-${size}`, { title: bench.title, runs, cells });
}
