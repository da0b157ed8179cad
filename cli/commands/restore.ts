import { Command } from 'commander';
import type { Restored } from '../../worker/backup/restore.js';
import type { Io } from '../io.js';
import { exampleText, jsonOption } from '../operating-command.js';
import { localTime, plural } from '../printable.js';

interface RestoreOptions {
  readonly replace?: boolean;
  readonly json?: boolean;
}

export const restoreCommand = (io: Io): Command =>
  new Command('restore')
    .description(
      'restore a backup into the data folder, while no service runs; configured by its environment variables',
    )
    .argument('<folder>', 'what "ferry backup" has made')
    .option('--replace', 'move data that is there already aside, to <data folder>.before-restore-<time>')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      exampleText([
        'FERRY_DATA_DIR=/srv/ferry ferry restore /backup/ferry-1',
        'ferry restore /backup/ferry-1 --replace',
      ]),
    )
    .action(async (from: string, { replace, json }: RestoreOptions) => {
      const { restore } = await import('../../worker/backup/restore.js');
      const restored = await restore(io.env, { from, replace });
      io.out.write(json === true ? `${JSON.stringify(restored, null, 2)}\n` : restoredText(restored));
    });

function restoredText({ manifest, dataDir, movedAside, otherEngine }: Restored): string {
  const { counts, createdAt, damaged, temporal } = manifest;
  const lines = [
    `Restored the backup of ${localTime(createdAt)} into ${dataDir}. Start it with "ferry up".`,
    `  ${plural(counts.openTasks, 'open update task')} with ${plural(counts.openDeviceUpdates, 'open device update')} will go on.`,
    ...(movedAside === null ? [] : [`What was there before is in ${movedAside}; delete it when you don't need it.`]),
    ...damaged.map(({ firmware, problem }) => `Not in the backup: the file of firmware ${firmware}: ${problem}.`),
    ...(otherEngine ? [OTHER_ENGINE] : temporal === 'outside' ? [OUTSIDE] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const OTHER_ENGINE =
  'TEMPORAL_ADDRESS is not as it was for the backup: open update tasks begin anew in the Temporal that the service will use.';
const OUTSIDE =
  'The Temporal at TEMPORAL_ADDRESS was not restored: what its runs have ended since the backup stays open in the records.';
