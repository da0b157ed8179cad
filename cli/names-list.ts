import { InvalidArgumentError, Option, type Command } from 'commander';
import { deviceNameProblem } from '../domain/names.js';
import { isDeviceNameHeading, LINE_END, nameOn } from '../domain/table-text.js';
import { readText } from './input-file.js';
import { UsageError } from './usage-error.js';

/** `a,b,c` as its names. @throws InvalidArgumentError for an empty one */
export function parseList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('It must be a list such as a,b,c without empty places.');
  return names;
}

/** The same for an option that may be given several times. */
const parseMore = (text: string, before: readonly string[] = []): string[] => [...before, ...parseList(text)];

/**
 * One name a line: the first column of a CSV, whatever separates its cells. Blank lines, `#` comments and a header
 * `deviceName` are skipped, and what our exports put before a name that a spreadsheet would take for a formula.
 */
export async function readNames(path: string): Promise<string[]> {
  const lines = (await readText(path)).split(LINE_END);
  const names = lines.map(nameOn).filter((name) => name !== '' && !name.startsWith('#') && !isDeviceNameHeading(name));
  if (names.length === 0) throw new UsageError(`The file ${path} names no device.`);
  return names;
}

/** `--devices` and `--devices-file`; names of devices have no commas, so that a list of them is never in doubt. */
export const addDevicesOptions = (command: Command, text: string): Command =>
  command
    .addOption(new Option('--devices <names>', `${text}: a,b,c; may be repeated`).argParser(parseMore))
    .option('--devices-file <file>', 'the same from a file, one name a line');

export interface DevicesOptions {
  readonly devices?: string[] | undefined;
  readonly devicesFile?: string | undefined;
}

/** The devices that a command names by `--devices` and `--devices-file`, or undefined. */
export async function namedDevices({ devices = [], devicesFile }: DevicesOptions): Promise<string[] | undefined> {
  checkNames('--devices', devices);
  const fromFile = devicesFile === undefined ? [] : await readNames(devicesFile);
  checkNames(`--devices-file ${devicesFile ?? ''}`, fromFile);
  const names = [...devices, ...fromFile];
  return names.length === 0 ? undefined : names;
}

const NAMED_PROBLEMS_MAX = 20;

/**
 * Names that no device can have are told before the service is asked, which would tell them by their place.
 *
 * @param where the option or the argument that names them
 * @throws UsageError naming each
 */
export function checkNames(where: string, names: readonly string[]): void {
  const problems = names.flatMap((name) => {
    const problem = deviceNameProblem(name);
    return problem === undefined ? [] : [`  "${name}" ${problem}`];
  });
  if (problems.length === 0) return;
  const more = problems.length - NAMED_PROBLEMS_MAX;
  const lines = [...problems.slice(0, NAMED_PROBLEMS_MAX), ...(more > 0 ? [`  and ${more} more`] : [])];
  throw new UsageError(`${where}: no device can have such a name:\n${lines.join('\n')}`);
}
