import { Argument, Option, type Command } from 'commander';
import type { DeviceAnswer } from '../../api/schemas.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime } from '../printable.js';
import { openSession } from '../session.js';
import { table } from '../table.js';

interface DevicesOptions extends PagingOptions {
  readonly version?: string;
  readonly module?: string;
  readonly online?: boolean;
  readonly offline?: boolean;
  readonly search?: string;
}

/** @param name `devices`, or `list` below `device` */
export const devicesCommand = (io: Io, name = 'devices'): Command =>
  addPagingOptions(
    operatingCommand(name, 'list the devices of a product by name: version, online, current update', [
      'ferry devices thermostat',
      'ferry devices thermostat --version 1.0.0 --offline',
      'ferry devices thermostat --search T-00 --json',
    ]),
  )
    .addArgument(new Argument('<product>', 'product key'))
    .option('--version <version>', 'only those that run this version')
    .option('--module <module>', 'the module that --version is about (default: "default")')
    .addOption(new Option('--online', 'only those that are online').conflicts('offline'))
    .option('--offline', 'only those that are offline')
    .option('--search <text>', 'only those with this text in their name')
    .action(async (productKey: string, options: DevicesOptions) => {
      const session = openSession(io, options);
      const page = await session.api.listDevices(productKey, { ...pageOf(options), ...filterOf(options) });
      session.answer(page, () => pageText(page, { none: 'No device matches.', text: devicesTable }));
    });

const filterOf = ({ version, module, search, online, offline }: DevicesOptions) => ({
  ...(version === undefined ? {} : { version }),
  ...(module === undefined ? {} : { module }),
  ...(search === undefined ? {} : { search }),
  ...(online === true ? { online: true } : {}),
  ...(offline === true ? { online: false } : {}),
});

const devicesTable = (devices: readonly DeviceAnswer[]): string =>
  table(
    ['device', 'version', 'online', 'protocol', 'last seen', 'current update'],
    devices.map((device) => [
      device.deviceName,
      device.version,
      device.revokedAt === null ? (device.online ? 'yes' : 'no') : 'revoked',
      device.protocol,
      localTime(device.lastSeenAt),
      currentUpdate(device),
    ]),
  );

function currentUpdate({ currentUpdate: update }: DeviceAnswer): string | null {
  if (!update) return null;
  const step = update.step === null ? '' : ` ${update.step} %`;
  return `${update.status}${step} (task ${update.taskId})`;
}
