import type { Command } from 'commander';
import { findFirmware, firmwareName } from '../firmware-name.js';
import type { Io } from '../io.js';
import { namedDevices, parseList } from '../names-list.js';
import { operatingCommand } from '../operating-command.js';
import { addPolicyOptions, policyOf, type PolicyOptions } from '../policy-options.js';
import { plural } from '../printable.js';
import { openSession } from '../session.js';
import { UsageError } from '../usage-error.js';
import { answerNewTask } from '../watching.js';
import { FIRMWARE } from './firmware.js';

interface VerifyOptions extends PolicyOptions {
  readonly devices?: string[];
  readonly devicesFile?: string;
  readonly watch?: boolean;
}

export const verifyCommand = (io: Io): Command =>
  addPolicyOptions(
    operatingCommand(
      'verify',
      'try a firmware on a few devices; when that ends, it is verified, whatever the results',
      [
        'ferry verify main@2.0.0 --devices T-0001,T-0002,T-0003 --watch',
        'ferry verify main@2.0.0 --devices T-0004 --offline-timeout 10m',
      ],
    )
      .addArgument(FIRMWARE)
      .option('--devices <names>', 'devices to try it on: a,b,c', parseList)
      .option('--devices-file <file>', 'the same from a file, one name a line')
      .option('--watch', 'follow it to its end'),
    { offline: '1h' },
  ).action(async (named: string, options: VerifyOptions) => {
    const deviceNames = await namedDevices(options);
    if (!deviceNames) throw new UsageError('Name the devices to try it on: --devices a,b,c');
    const session = openSession(io, options);
    const firmware = await findFirmware(session.api, named);
    const policy = policyOf(options);
    const task = await session.api.createVerification(firmware.id, { deviceNames, ...(policy ? { policy } : {}) });
    await answerNewTask(session, task, {
      watch: options.watch,
      text: () =>
        `Verification ${task.id} of ${firmwareName(firmware)} on ${plural(task.counts.total, 'device')} begins.`,
    });
  });
