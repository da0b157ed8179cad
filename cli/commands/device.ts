import { readFile } from 'node:fs/promises';
import { Argument, Command, Option } from 'commander';
import type { DeviceDetailAnswer, RegisteredDevicesAnswer } from '../../api/schemas.js';
import { decodeTable } from '../../domain/table-text.js';
import { secretsCsv } from '../../domain/secrets-csv.js';
import { SIGN_IN_REFUSALS } from '../../domain/sign-in-refusals.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { localTime, plural } from '../printable.js';
import { openSecretsFile } from '../secrets-file.js';
import { openSession, type Session } from '../session.js';
import { pairs, table } from '../table.js';
import { deviceUpdatesTable } from '../task-view.js';
import { CommandFailed } from '../usage-error.js';
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
    .option('--out <file>', 'write names and secrets to a CSV file instead')
    .action(async (productKey: string, names: readonly string[], options: AddOptions, command: Command) => {
      if (options.secret !== undefined && names.length > 1) command.error('error: --secret fits a single device only');
      const session = openSession(io, options);
      const devices = names.map((deviceName) => ({
        ...{ deviceName, deviceSecret: options.secret, protocol: options.protocol },
      }));
      await answerSecrets(session, options.out, () => session.api.registerDevices(productKey, devices));
    });

const importCsv = (io: Io): Command =>
  operatingCommand('import', 'register devices from a CSV with the header deviceName[,deviceSecret][,protocol]', [
    'ferry device import thermostat devices.csv --out secrets.csv',
  ])
    .addArgument(PRODUCT)
    .argument('<file>', 'the CSV file')
    .option('--out <file>', 'write names and secrets to a CSV file instead of showing them')
    .action(async (productKey: string, file: string, options: Pick<AddOptions, 'out'>) => {
      const session = openSession(io, options);
      const csv = decodeTable(await readFile(file));
      await answerSecrets(session, options.out, () => session.api.registerDevicesCsv(productKey, csv));
    });

/** The answer is the only one that ever has the secrets: they end up in the file, or before the operator's eyes. */
async function answerSecrets(
  session: Session,
  out: string | undefined,
  request: () => Promise<RegisteredDevicesAnswer>,
): Promise<void> {
  if (out === undefined) {
    showSecrets(session, await request());
    return;
  }
  const file = await openSecretsFile(out);
  const registered = await request().catch(async (error: unknown) => {
    await file.abandon();
    throw error;
  });
  try {
    await file.write(secretsCsv(registered.devices));
  } catch (error) {
    showSecrets(session, registered);
    await file.abandon();
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new CommandFailed(`The file ${out} did not take the secrets (${code}): they are shown instead.`);
  }
  const answer = { registered: registered.devices.length, file: out };
  session.answer(answer, () => `${plural(answer.registered, 'device')} registered; names and secrets are in ${out}.`);
}

const showSecrets = (session: Session, registered: RegisteredDevicesAnswer): void =>
  session.answer(registered, () =>
    [
      table(
        ['device', 'secret', 'protocol'],
        registered.devices.map(({ deviceName, deviceSecret, protocol }) => [deviceName, deviceSecret, protocol]),
      ),
      '\nKeep the secrets: they are not shown again.',
    ].join('\n'),
  );

const show = (io: Io): Command =>
  operatingCommand('show', 'a device: what it runs, whether it is online, and its updates over all tasks', [
    'ferry device show thermostat T-0001',
  ])
    .addArgument(PRODUCT)
    .argument('<deviceName>')
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
  return items.length === 0 ? facts : `${facts}\n\nUpdates, newest first:\n${deviceUpdatesTable(items)}`;
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
    .option('--out <file>', 'write name and secret to a CSV file instead')
    .action(async (productKey: string, deviceName: string, options: { secret?: string; out?: string }) => {
      const session = openSession(io, options);
      await answerSecrets(session, options.out, async () => ({
        devices: [await session.api.rotateDeviceSecret(productKey, deviceName, options.secret)],
      }));
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
