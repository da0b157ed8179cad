import { Command } from 'commander';
import type { Restored, ValidAgain } from '../../worker/backup/restore.js';
import type { Io } from '../io.js';
import { exampleText, jsonOption } from '../operating-command.js';
import { localTime, plural, printable } from '../printable.js';

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

function restoredText({ manifest, dataDir, movedAside, validAgain, otherEngine }: Restored): string {
  const { counts, createdAt, damaged, temporal } = manifest;
  const lines = [
    `Restored the backup of ${localTime(createdAt)} into ${dataDir}. Start it with "ferry up".`,
    `  ${plural(counts.openTasks, 'open update task')} with ${plural(counts.openDeviceUpdates, 'open device update')} will go on.`,
    ...(movedAside === null ? [] : [`What was there before is in ${movedAside}; delete it when you don't need it.`]),
    ...damaged.map(({ firmware, problem }) => `Not in the backup: the file of firmware ${firmware}: ${problem}.`),
    ...validAgainText(validAgain, { createdAt, dataDir }),
    ...(otherEngine ? [OTHER_ENGINE] : temporal === 'outside' ? [OUTSIDE] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const TOKENS_NAMED_MAX = 20;

/** What was taken back since the backup is as it was then: only the operator knows of it. */
function validAgainText(
  { adminToken, tokens, devices, revokedDevices, productsWithTrustedKeys }: ValidAgain,
  { createdAt, dataDir }: { readonly createdAt: string; readonly dataDir: string },
): string[] {
  const names = tokens.slice(0, TOKENS_NAMED_MAX).join(', ') + (tokens.length > TOKENS_NAMED_MAX ? ', …' : '');
  return [
    `What was valid on ${createdAt} is valid again, also if it was revoked, rotated or removed since. Take it back again:`,
    ...(adminToken
      ? [`  the admin token of then; if it was changed since: delete ${dataDir}/admin-token before the start`]
      : []),
    tokens.length === 0
      ? '  no other token'
      : `  ${plural(tokens.length, 'token')} (${printable(names)}): ferry token list, ferry token revoke ID`,
    `  ${plural(devices, 'device')} that may sign in, by their secrets of then (${revokedDevices} more are revoked): ` +
      'ferry device revoke, ferry device rotate',
    `  the trusted keys of then: ${plural(productsWithTrustedKeys, 'product')} with signed firmware only: ferry product list, ferry product untrust`,
    'Sessions of the console, sign-in links and download URLs from before the restore are void; devices get new URLs.',
  ];
}

const OTHER_ENGINE =
  'TEMPORAL_ADDRESS is not as it was for the backup: open update tasks begin anew in the Temporal that the service will use.';
const OUTSIDE =
  'The Temporal at TEMPORAL_ADDRESS was not restored: what its runs have ended since the backup stays open in the records.';
