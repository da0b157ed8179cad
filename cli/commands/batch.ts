import type { Command } from 'commander';
import { awaitsApproval } from '../../domain/update-task.js';
import { findFirmware, firmwareName } from '../firmware-name.js';
import type { Io } from '../io.js';
import { namedDevices, parseList } from '../names-list.js';
import { operatingCommand } from '../operating-command.js';
import { addPolicyOptions, policyOf, type PolicyOptions } from '../policy-options.js';
import { plural } from '../printable.js';
import { openSession } from '../session.js';
import { answerNewTask } from '../watching.js';
import { FIRMWARE } from './firmware.js';

interface BatchOptions extends PolicyOptions {
  readonly from: string[];
  readonly devices?: string[];
  readonly devicesFile?: string;
  readonly watch?: boolean;
}

export const batchCommand = (io: Io): Command =>
  addPolicyOptions(
    operatingCommand('batch', 'update all devices that run one of the source versions, to a verified firmware', [
      'ferry batch main@2.0.0 --from 1.0.0,1.1.0 --watch',
      'ferry batch main@2.0.0 --from 1.0.0 --devices-file floor-3.txt --stall-timeout 10m',
    ])
      .addArgument(FIRMWARE)
      .requiredOption('--from <versions>', 'source versions: no other open batch may name them', parseList)
      .option('--devices <names>', 'only these devices: a,b,c', parseList)
      .option('--devices-file <file>', 'the same from a file, one name a line')
      .option('--watch', 'follow it to its end'),
    { offline: '7d' },
  ).action(async (named: string, options: BatchOptions) => {
    const deviceNames = await namedDevices(options);
    const session = openSession(io, options);
    const firmware = await findFirmware(session.api, named);
    const policy = policyOf(options);
    const task = await session.api.createBatchUpdate(firmware.id, {
      sourceVersions: options.from,
      ...(deviceNames ? { deviceNames } : {}),
      ...(policy ? { policy } : {}),
    });
    await answerNewTask(session, task, {
      watch: options.watch,
      text: () =>
        `Batch ${task.id} ${awaitsApproval(task, task.cancelRequestedAt) ? 'waits for another operator' : 'begins'}: ${plural(task.counts.total, 'device')} from ${task.sourceVersions.join(', ')} ` +
        `to ${firmwareName(firmware)}.`,
    });
  });
