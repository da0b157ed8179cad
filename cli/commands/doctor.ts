import type { Command } from 'commander';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { plural, printable } from '../printable.js';
import { openSession } from '../session.js';
import { CommandFailed } from '../usage-error.js';

export const doctorCommand = (io: Io): Command =>
  operatingCommand('doctor', 'compare records, runs, claims and files of the running service; name every difference', [
    'ferry doctor',
    'ferry doctor --fix',
  ])
    .option('--fix', 'repair what can be repaired')
    .action(async (options: { readonly fix?: boolean }) => {
      const session = openSession(io, options);
      const report = await session.api.examine(options.fix ?? false);
      const { examined, differences } = report;
      session.answer(report, () =>
        [
          `Looked at ${plural(examined.openTasks, 'open task')}, ${plural(examined.openDeviceUpdates, 'open device update')}, ` +
            `${plural(examined.openRuns, 'open run')} and ${plural(examined.files, 'file')}.`,
          ...differences.map(
            ({ subject, sentence, remedy, fixed }) =>
              `${fixed ? 'repaired' : 'WRONG'}  ${printable(subject)}: ${printable(sentence)} ${printable(remedy)}`,
          ),
          differences.length === 0 ? 'All is as it should be.' : '',
        ]
          .filter((line) => line !== '')
          .join('\n'),
      );
      const left = differences.filter(({ fixed }) => !fixed);
      if (left.length === 0) return;
      const canFix = left.some(({ fixable }) => fixable) && options.fix !== true;
      throw new CommandFailed(
        `${plural(left.length, 'difference')} left.${canFix ? ' --fix repairs what can be repaired.' : ''}`,
      );
    });
