import { InvalidArgumentError } from 'commander';
import { readText } from './input-file.js';
import { UsageError } from './usage-error.js';

/** `a,b,c` as its names. @throws InvalidArgumentError for an empty one */
export function parseList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('It must be a list such as a,b,c without empty places.');
  return names;
}

/** One name a line: the first column of a CSV; blank lines, `#` comments and a header `deviceName` are skipped. */
export async function readNames(path: string): Promise<string[]> {
  const lines = (await readText(path)).split(/\r?\n/);
  const names = lines
    .map((line) => (line.split(',', 1)[0] ?? '').trim())
    .filter((name) => name !== '' && !name.startsWith('#') && name !== 'deviceName');
  if (names.length === 0) throw new UsageError(`The file ${path} names no device.`);
  return names;
}

/** The devices that a command names by `--devices` and `--devices-file`, or undefined. */
export async function namedDevices(options: {
  readonly devices?: string[] | undefined;
  readonly devicesFile?: string | undefined;
}): Promise<string[] | undefined> {
  const fromFile = options.devicesFile === undefined ? [] : await readNames(options.devicesFile);
  const names = [...(options.devices ?? []), ...fromFile];
  return names.length === 0 ? undefined : names;
}
