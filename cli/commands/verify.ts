import type { Command } from 'commander';
import { addFirmwareArgument, findFirmware, firmwareName, type FirmwarePlace } from '../firmware-name.js';
import type { Io } from '../io.js';
import { addDevicesOptions, namedDevices, type DevicesOptions } from '../names-list.js';
import { operatingCommand } from '../operating-command.js';
import { addPolicyOptions, policyOf, type PolicyOptions } from '../policy-options.js';
import { plural } from '../printable.js';
import { openSession } from '../session.js';
import { UsageError } from '../usage-error.js';
import { answerNewTask, WATCH_EXIT_CODES } from '../watching.js';

interface VerifyOptions extends PolicyOptions, DevicesOptions, FirmwarePlace {
  readonly watch?: boolean;
}

export const verifyCommand = (io: Io): Command => {
  const command = addFirmwareArgument(
    operatingCommand(
      'verify',
      'try a firmware on a few devices; when that ends, it is verified, whatever the results, if a device was reached',
      [
        'ferry verify main@2.0.0 --devices T-0001,T-0002,T-0003 --watch',
        'ferry verify main@2.0.0 --devices T-0004 --offline-timeout 10m',
        'ferry verify main@2.0.0 --devices T-0001 --watch && ferry batch main@2.0.0 --from 1.0.0',
      ],
    ),
  );
  addDevicesOptions(command, 'devices to try it on (this or --devices-file is required)')
    .option('--watch', 'follow it to its end')
    .addHelpText('after', WATCH_EXIT_CODES);
  return addPolicyOptions(command, { offline: '1h' }).action(async (named: string, options: VerifyOptions) => {
    const deviceNames = await namedDevices(options);
    if (!deviceNames) throw new UsageError('Name the devices to try it on: --devices a,b,c');
    const policy = policyOf(options);
    const session = openSession(io, options);
    const firmware = await findFirmware(session.api, named, options);
    const task = await session.api.createVerification(firmware.id, { deviceNames, ...(policy ? { policy } : {}) });
    await answerNewTask(session, task, {
      watch: options.watch,
      text: () =>
        `Verification ${task.id} of ${firmwareName(firmware)} on ${plural(task.counts.total, 'device')} begins.`,
    });
  });
};
