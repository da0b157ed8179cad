import { readFile } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { decodeTable, isDeviceNameHeading, plainCell } from '../domain/table-text.js';
import { UsageError } from './usage-error.js';

/** `a,b,c` as its names. @throws InvalidArgumentError for an empty one */
export function parseList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('It must be a list such as a,b,c without empty places.');
  return names;
}

/**
 * One name a line: the first column of a CSV, whatever separates its cells. Blank lines, `#` comments and a header
 * `deviceName` are skipped, and what our exports put before a name that a spreadsheet would take for a formula.
 */
export async function readNames(path: string): Promise<string[]> {
  const lines = decodeTable(await readFile(path)).split(/\r\n|\n|\r/);
  const names = lines
    .map((line) => (line.split(/[,;\t]/, 1)[0] ?? '').trim())
    .map((cell) => plainCell(cell.replace(/^"(.*)"$/, '$1').trim()))
    .filter((name) => name !== '' && !name.startsWith('#') && !isDeviceNameHeading(name));
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
