import { Command } from 'commander';
import { parseDuration } from '../durations.js';
import type { Io } from '../io.js';
import { liveLine } from '../live-line.js';
import { exampleText, operatingCommand } from '../operating-command.js';
import { localTime, plural } from '../printable.js';
import { openSession } from '../session.js';
import { UsageError } from '../usage-error.js';

const REBUILD =
  "write the records anew from Temporal's histories, into an empty database; with the service stopped, configured as `up`";

/** What the histories don't tell; the same list as in docs/reliability.md. */
const LOST = `Not rebuilt, since no history tells it:
  devices, with their secrets, versions and revocations: register them again, with their secrets
  trusted keys: each product takes no firmware until they are set (ferry product trust PRODUCT FILE), or
    until you say that it takes any (ferry product trust PRODUCT --any)
  names of products: each has its key as its name; products without a task are gone
  firmware that no task has used, and deleted firmware: add it again
  tokens: make them again (ferry token create); the admin token of the data folder stays
  audit log: it begins anew; sessions of the console, idempotency keys and download URLs are void
  tasks that Temporal has forgotten, requests that no run had heard of, and pauses
Do this before devices connect again. Then start the service.
`;

export const recordsCommand = (io: Io): Command =>
  new Command('records')
    .description('the records: what operators list, count and filter')
    .addCommand(rebuildCommand(io))
    .addCommand(forgetCommand(io));

const DAY_MS = 86_400_000;

const forgetCommand = (io: Io): Command =>
  operatingCommand('forget', 'delete the records of tasks that ended long ago, now and for ever', [
    'ferry records forget --older-than 90d',
  ])
    .requiredOption('--older-than <time>', 'since the end of the task: 1d or more', parseDuration)
    .action(async (options: { readonly olderThan: number }) => {
      if (options.olderThan < DAY_MS) throw new UsageError('--older-than: must be 1 day or more.');
      const session = openSession(io, options);
      const report = await session.api.forget(options.olderThan);
      session.answer(
        report,
        () =>
          `${plural(report.tasks, 'task')} with ${plural(report.deviceUpdates, 'device update')} that ended before ${localTime(report.endedBefore)} ` +
          'are deleted, in the background.',
      );
    });

const rebuildCommand = (io: Io): Command =>
  new Command('rebuild')
    .description(REBUILD)
    .option('--json', 'answer in JSON, for programs')
    .addHelpText('after', exampleText(['ferry records rebuild', 'FERRY_DATA_DIR=/srv/ferry ferry records rebuild']))
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      const { rebuildOffline } = await import('../../worker/rebuild/offline.js');
      let progress = 'reading the histories …';
      const line = liveLine(io.err, () => progress);
      const rebuilt = await rebuildOffline(io.env, {
        onSlow: (message) => void io.err.write(`${message}\n`),
        onTask: (done, total) => {
          progress = `${done} of ${plural(total, 'task')}`;
        },
      }).finally(() => line.stop());
      if (json) {
        io.out.write(`${JSON.stringify(rebuilt, null, 2)}\n`);
        return;
      }
      const { tasks, deviceUpdates, missingDevices, tasksWithoutOrigin, mismatches } = rebuilt;
      io.out.write(`${plural(tasks, 'task')} with ${plural(deviceUpdates, 'device update')} rebuilt.\n`);
      if (missingDevices > 0) {
        io.out.write(`${plural(missingDevices, 'device')} of shards that never began are in no history.\n`);
      }
      if (tasksWithoutOrigin > 0) {
        io.out.write(
          `${plural(tasksWithoutOrigin, 'task')} of the first release don't tell source versions, and size and digests of the firmware.\n`,
        );
      }
      for (const mismatch of mismatches) io.out.write(`only the end is known of ${mismatch}\n`);
      io.out.write(LOST);
    });
