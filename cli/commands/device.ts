import { Argument, Command, Option } from 'commander';
import type { DeviceDetailAnswer, RegisteredDeviceAnswer, RegisteredDevicesAnswer } from '../../api/schemas.js';
import { deviceSecretProblem } from '../../domain/names.js';
import { secretsCsv } from '../../domain/secrets-csv.js';
import { SIGN_IN_REFUSALS } from '../../domain/sign-in-refusals.js';
import { csvPieces } from '../csv-pieces.js';
import { readText } from '../input-file.js';
import type { Io } from '../io.js';
import { checkNames } from '../names-list.js';
import { operatingCommand } from '../operating-command.js';
import { openOutputFile } from '../output-file.js';
import { localTime, plural } from '../printable.js';
import { openSession, type Session } from '../session.js';
import { pairs, table } from '../table.js';
import { historyTable } from '../task-view.js';
import { CommandFailed, UsageError } from '../usage-error.js';
import { devicesCommand } from './devices.js';

export const deviceCommand = (io: Io): Command =>
  new Command('device')
    .description('register, show, rename and delete devices, and say which may sign in')
    .addCommand(add(io))
    .addCommand(importCsv(io))
    .addCommand(devicesCommand(io, 'list'))
    .addCommand(show(io))
    .addCommand(rotate(io))
    .addCommand(revoke(io))
    .addCommand(restore(io))
    .addCommand(rename(io))
    .addCommand(remove(io));

const PRODUCT = new Argument('<product>', 'product key');

const protocolOption = () =>
  new Option('--protocol <protocol>', 'how the device connects').choices(['mqtt', 'http', 'coap']).default('mqtt');

interface AddOptions {
  readonly secret?: string;
  readonly protocol: 'mqtt' | 'http' | 'coap';
  readonly out?: string;
}

const add = (io: Io): Command =>
  operatingCommand('add', 'register devices; their secrets are shown this once', [
    'ferry device add thermostat T-0001',
    'ferry device add thermostat T-0001 T-0002 T-0003 --out secrets.csv',
    'ferry device add thermostat T-0004 --secret 3f9a0c5d2b --protocol http',
  ])
    .addArgument(PRODUCT)
    .argument('<deviceName...>', 'names of the devices')
    .option('--secret <secret>', 'its secret, for a single device (default: generated)')
    .addOption(protocolOption())
    .option('--out <file>', 'write names and secrets to this new CSV file instead')
    .action(async (productKey: string, names: readonly string[], options: AddOptions, command: Command) => {
      if (options.secret !== undefined && names.length > 1) command.error('error: --secret fits a single device only');
      checkNames('<deviceName>', names);
      checkSecret(options.secret);
      const session = openSession(io, options);
      const devices = names.map((deviceName) => ({
        ...{ deviceName, deviceSecret: options.secret, protocol: options.protocol },
      }));
      await answerSecrets(session, { out: options.out, told: registeredText }, [
        () => session.api.registerDevices(productKey, devices),
      ]);
    });

function checkSecret(secret: string | undefined): void {
  const problem = secret === undefined ? undefined : deviceSecretProblem(secret);
  if (problem !== undefined) throw new UsageError(`--secret: ${problem}.`);
}

const IMPORT =
  'register devices from a CSV with the header deviceName[,deviceSecret][,protocol]; more than 10,000 go in several ' +
  'requests, of which the first ones stay when a later one is refused';

const importCsv = (io: Io): Command =>
  operatingCommand('import', IMPORT, ['ferry device import thermostat devices.csv --out secrets.csv'])
    .addArgument(PRODUCT)
    .argument('<file>', 'the CSV file')
    .option('--out <file>', 'write names and secrets to this new CSV file instead of showing them')
    .action(async (productKey: string, file: string, options: Pick<AddOptions, 'out'>) => {
      const session = openSession(io, options);
      const pieces = csvPieces(await readText(file));
      await answerSecrets(
        session,
        { out: options.out, inputs: [file], told: registeredText },
        pieces.map((csv) => () => session.api.registerDevicesCsv(productKey, csv)),
      );
    });

interface SecretsTarget {
  readonly out: string | undefined;
  readonly inputs?: readonly string[];
  /** What is said of the devices whose secrets are in the file. */
  readonly told: (devices: number, out: string) => string;
}

const registeredText = (devices: number, out: string): string =>
  `${plural(devices, 'device')} registered; names and secrets are in ${out}.`;

/**
 * The answers are the only ones that ever have the secrets: they end up in the file, or before the operator's eyes, also
 * when a later request is refused.
 */
async function answerSecrets(
  session: Session,
  { out, inputs, told }: SecretsTarget,
  requests: readonly (() => Promise<RegisteredDevicesAnswer>)[],
): Promise<void> {
  const file = out === undefined ? undefined : await openOutputFile(out, inputs);
  const shown: RegisteredDeviceAnswer[] = [];
  let written = 0;
  try {
    for (const request of requests) {
      const { devices } = await request();
      if (!file) {
        shown.push(...devices);
        continue;
      }
      await file.write(linesOf(devices, written > 0)).catch((error: unknown) => {
        shown.push(...devices);
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        throw new CommandFailed(`The file ${out} did not take the secrets (${code}): they are shown instead.`);
      });
      written += devices.length;
    }
  } finally {
    await (written > 0 ? file?.close() : file?.abandon());
    if (written > 0) session.answer({ registered: written, file: out }, () => told(written, out ?? ''));
    if (shown.length > 0) showSecrets(session, shown);
  }
}

/** One header for all of the file. */
function linesOf(devices: readonly RegisteredDeviceAnswer[], isContinued: boolean): string {
  const csv = secretsCsv(devices);
  return isContinued ? csv.slice(csv.indexOf('\n') + 1) : csv;
}

const showSecrets = (session: Session, devices: readonly RegisteredDeviceAnswer[]): void =>
  session.answer({ devices }, () =>
    [
      table(
        ['device', 'secret', 'protocol'],
        devices.map(({ deviceName, deviceSecret, protocol }) => [deviceName, deviceSecret, protocol]),
      ),
      '\nKeep the secrets: they are not shown again.',
    ].join('\n'),
  );

const show = (io: Io): Command =>
  operatingCommand('show', 'a device: what it runs, whether it is online, and its updates over all tasks', [
    'ferry device show thermostat T-0001',
  ])
    .addArgument(PRODUCT)
    .addArgument(DEVICE)
    .action(async (productKey: string, deviceName: string, options: object) => {
      const session = openSession(io, options);
      const device = await session.api.getDevice(productKey, deviceName);
      session.answer(device, () => deviceText(device));
    });

function deviceText(device: DeviceDetailAnswer): string {
  const modules = device.modules.map(({ module, version }) => `${module} ${version}`);
  const facts = pairs([
    ['device', device.deviceName],
    ['product', device.productKey],
    ['protocol', device.protocol],
    ['runs', modules.join(', ') || 'no version reported yet'],
    ['online', device.online ? 'yes' : 'no'],
    ['last seen', localTime(device.lastSeenAt)],
    ...(device.revokedAt === null ? [] : ([['revoked', localTime(device.revokedAt)]] as const)),
    ...signInTroubles(device),
    ['registered', localTime(device.createdAt)],
  ]);
  const { items } = device.history;
  return items.length === 0 ? facts : `${facts}\n\nUpdates, newest first:\n${historyTable(items)}`;
}

function signInTroubles({ lastRefusedSignIn: refused, nameClash }: DeviceDetailAnswer): [string, string][] {
  const troubles: [string, string][] = [];
  if (refused) {
    const why = SIGN_IN_REFUSALS[refused.reason];
    troubles.push(['last refused sign-in', `${why} at ${localTime(refused.at)}, from ${refused.address}`]);
  }
  if (nameClash) {
    const from = [...new Set(nameClash.addresses)].join(' and ');
    troubles.push([
      'name clash',
      `two units took the connection from each other at ${localTime(nameClash.at)}, from ${from}`,
    ]);
  }
  return troubles;
}

const DEVICE = new Argument('<deviceName>', 'name of the device');

const rotate = (io: Io): Command =>
  operatingCommand('rotate', 'give a device another secret, shown this once; the old one is void at once', [
    'ferry device rotate thermostat T-0001',
  ])
    .addArgument(PRODUCT)
    .addArgument(DEVICE)
    .option('--secret <secret>', 'the new secret (default: generated)')
    .option('--out <file>', 'write name and secret to this new CSV file instead')
    .action(async (productKey: string, deviceName: string, options: { secret?: string; out?: string }) => {
      checkSecret(options.secret);
      const session = openSession(io, options);
      const told = (_devices: number, out: string) => `${deviceName} has another secret; it is in ${out}.`;
      await answerSecrets(session, { out: options.out, told }, [
        async () => ({ devices: [await session.api.rotateDeviceSecret(productKey, deviceName, options.secret)] }),
      ]);
    });

const revoke = (io: Io): Command =>
  operatingCommand('revoke', 'keep a device out: it is cut off at once, and may not sign in', [
    'ferry device revoke thermostat T-0001',
  ])
    .addArgument(PRODUCT)
    .addArgument(DEVICE)
    .action(async (productKey: string, deviceName: string, options: object) => {
      const session = openSession(io, options);
      const device = await session.api.revokeDevice(productKey, deviceName);
      session.answer(device, () => `${device.deviceName} is cut off and may not sign in.`);
    });

const restore = (io: Io): Command =>
  operatingCommand('restore', 'let a revoked device sign in again', ['ferry device restore thermostat T-0001'])
    .addArgument(PRODUCT)
    .addArgument(DEVICE)
    .action(async (productKey: string, deviceName: string, options: object) => {
      const session = openSession(io, options);
      const device = await session.api.restoreDevice(productKey, deviceName);
      session.answer(device, () => `${device.deviceName} may sign in again.`);
    });

const rename = (io: Io): Command =>
  operatingCommand('rename', 'give a device another name, by which it signs in from now on; its secret stays', [
    'ferry device rename thermostat T-001 T-0001',
  ])
    .addArgument(PRODUCT)
    .addArgument(DEVICE)
    .argument('<newName>', 'the new name')
    .action(async (productKey: string, deviceName: string, newName: string, options: object) => {
      const session = openSession(io, options);
      const device = await session.api.renameDevice(productKey, deviceName, newName);
      session.answer(device, () => `${deviceName} is ${device.deviceName} now, and was cut off.`);
    });

const remove = (io: Io): Command =>
  operatingCommand('delete', 'delete a device: it is cut off, and its secret is void; its update records stay', [
    'ferry device delete thermostat T-0001',
  ])
    .addArgument(PRODUCT)
    .addArgument(DEVICE)
    .action(async (productKey: string, deviceName: string, options: object) => {
      const session = openSession(io, options);
      const device = await session.api.deleteDevice(productKey, deviceName);
      session.answer(device, () => `${device.deviceName} is deleted.`);
    });
