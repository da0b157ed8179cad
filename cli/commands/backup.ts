import { Command } from 'commander';
import type { Manifest } from '../../worker/backup/manifest.js';
import { interruption, type Io } from '../io.js';
import { exampleText, jsonOption } from '../operating-command.js';
import { plural, size } from '../printable.js';
import { Interrupted } from '../usage-error.js';

interface BackupOptions {
  readonly skipDamaged?: boolean;
  readonly json?: boolean;
}

export const backupCommand = (io: Io): Command =>
  new Command('backup')
    .description('back up the data folder, while the service runs or not; configured by its environment variables')
    .argument('<folder>', 'a new or an empty folder, best on another disk; it will hold secrets')
    .option('--skip-damaged', 'leave out firmware whose file is missing or damaged, instead of refusing')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      exampleText(['ferry backup /backup/ferry-1', 'FERRY_DATA_DIR=/srv/ferry ferry backup /backup/ferry-1']),
    )
    .action(async (to: string, { skipDamaged, json }: BackupOptions) => {
      const { backUp } = await import('../../worker/backup/back-up.js');
      const { signal, dispose } = interruption(io);
      try {
        const manifest = await backUp(io.env, { to, skipDamaged, signal });
        io.out.write(json === true ? `${JSON.stringify(manifest, null, 2)}\n` : backupText(to, manifest));
      } catch (error) {
        throw signal.aborted ? new Interrupted() : error;
      } finally {
        dispose();
      }
    });

function backupText(to: string, { counts, damaged, files, keysElsewhere, temporal }: Manifest): string {
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const lines = [
    `Backed up to ${to}: ${plural(files.length, 'file')}, ${size(bytes)}.`,
    `  ${plural(counts.products, 'product')}, ${plural(counts.devices, 'device')}, firmware ${counts.firmware}, ` +
      `${plural(counts.tasks, 'update task')} (${counts.openTasks} open, with ${plural(counts.openDeviceUpdates, 'open device update')})`,
    ...(temporal === 'embedded' ? [] : [OUTSIDE]),
    ...(keysElsewhere === true ? [KEYS_ELSEWHERE] : []),
    ...damaged.map(({ firmware, problem }) => `Left out: firmware ${firmware}: ${problem}.`),
  ];
  return `${lines.join('\n')}\n`;
}

const KEYS_ELSEWHERE =
  'The key of the device secrets is not in it: keep FERRY_SECRET_KEY of the service as well, or no device can sign in after a restore.';
const OUTSIDE =
  'The runs are not in it: they are in the Temporal at TEMPORAL_ADDRESS. Have that backed up too, before this.';
