import { Option, type Command } from 'commander';
import { eachItem } from '../../api/client.js';
import type { DeviceUpdateAnswer } from '../../api/schemas.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { plural } from '../printable.js';
import { openSession } from '../session.js';
import { failuresTable } from '../task-view.js';
import { TASK } from './tasks.js';

interface FailuresOptions {
  readonly csv?: boolean;
  readonly json?: boolean;
}

export const failuresCommand = (io: Io): Command =>
  operatingCommand('failures', 'the update failure list of a task: a brief cause for each failed device', [
    'ferry failures h3k9',
    'ferry failures h3k9 --csv > failures.csv',
  ])
    .addArgument(TASK)
    .addOption(new Option('--csv', 'as CSV').conflicts('json'))
    .action(async (taskId: string, options: FailuresOptions) => {
      const session = openSession(io, options);
      if (options.csv === true) {
        for await (const piece of session.api.deviceUpdatesCsv(taskId, { outcome: 'failed' })) io.out.write(piece);
        return;
      }
      const items: DeviceUpdateAnswer[] = [];
      const pages = eachItem((page) => session.api.listDeviceUpdates(taskId, { ...page, outcome: 'failed' }));
      for await (const update of pages) items.push(update);
      session.answer({ items, nextCursor: null }, () =>
        items.length === 0
          ? 'No device has failed.'
          : `${failuresTable(items)}\n\n${plural(items.length, 'device')} failed. ` +
            `Try again: ferry reinitiate ${taskId}`,
      );
    });
