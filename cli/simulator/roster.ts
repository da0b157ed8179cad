import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { eachItem, type ApiClient } from '../../api/client.js';
import { CommandFailed } from '../usage-error.js';

/** A simulated device as it is kept between runs. */
export interface RosterEntry {
  readonly deviceSecret: string;
  readonly version: string;
}

/** Simulated devices by name: who they are, and what they ran when the last run ended. */
export type Roster = Readonly<Record<string, RosterEntry>>;

/** Where rosters are kept unless told otherwise: the user's data folder. */
export const rosterFolder = (env: NodeJS.ProcessEnv): string =>
  join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'ferry', 'simulator');

/** One file per service and product. */
export const rosterPath = (folder: string, serviceUrl: string, productKey: string): string =>
  join(folder, `${new URL(serviceUrl).host.replaceAll(/[^A-Za-z0-9.-]/g, '_')}-${productKey}.json`);

/** @throws CommandFailed for a file that is no roster */
export async function readRoster(path: string): Promise<Roster> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}';
    throw error;
  });
  try {
    return JSON.parse(text) as Roster;
  } catch {
    throw new CommandFailed(`${path} is not what an earlier simulation left. Delete it, or give another --state.`);
  }
}

/** Keeps secrets: readable by the user only, and never half-written. */
export async function writeRoster(folder: string, path: string, roster: Roster): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, JSON.stringify(roster, null, 1), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export interface Wanted {
  readonly productKey: string;
  readonly deviceNames: readonly string[];
  /** Of devices that are new. */
  readonly version: string;
}

/** Registrations in one request. */
const REGISTRATION_MAX = 1_000;

/**
 * Makes sure that the service knows every wanted device by the secret in the roster.
 *
 * @returns the roster with the new devices
 * @throws CommandFailed for devices that are registered under secrets that the roster does not have
 */
export async function register(
  api: Pick<ApiClient, 'listDevices' | 'registerDevices'>,
  roster: Roster,
  { productKey, deviceNames, version }: Wanted,
): Promise<Roster> {
  const registered = new Set<string>();
  for await (const { deviceName } of eachItem((page) => api.listDevices(productKey, page))) registered.add(deviceName);
  const strangers = deviceNames.filter((name) => registered.has(name) && !roster[name]);
  if (strangers.length > 0) {
    throw new CommandFailed(
      `${strangers.length} of the devices are registered already and their secrets are not known here, such as ` +
        `${strangers[0] ?? ''}. Choose another --prefix, or give the --state folder of the run that registered them.`,
    );
  }
  const missing = deviceNames.filter((name) => !registered.has(name));
  const added = Object.fromEntries(missing.map((name) => [name, roster[name] ?? { deviceSecret: secret(), version }]));
  for (let from = 0; from < missing.length; from += REGISTRATION_MAX) {
    const devices = missing.slice(from, from + REGISTRATION_MAX).map((deviceName) => ({
      deviceName,
      deviceSecret: added[deviceName]?.deviceSecret,
    }));
    await api.registerDevices(productKey, devices);
  }
  return { ...roster, ...added };
}

const secret = (): string => randomBytes(16).toString('hex');

/** `sim-00001`, `sim-00002`, …; as wide as 99,999 devices need, so that names sort and more can follow. */
export const simulatedNames = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i + 1).padStart(5, '0')}`);
