import { Argument, type Command } from 'commander';
import { eachItem, type ApiClient } from '../api/client.js';
import type { FirmwareAnswer } from '../api/schemas.js';
import { shellLine } from './shell-word.js';
import { CommandFailed } from './usage-error.js';

export const FIRMWARE = new Argument('<firmware>', 'id, or name@version');

/** Where a firmware is looked for, should several have the same name and version. */
export interface FirmwarePlace {
  readonly product?: string | undefined;
  readonly module?: string | undefined;
}

/** The argument `<firmware>`, and the options that tell apart what has the same name and version. */
export const addFirmwareArgument = (command: Command): Command =>
  command
    .addArgument(FIRMWARE)
    .option('--product <key>', 'product of the firmware, where several have that name and version')
    .option('--module <module>', 'module of the firmware, likewise');

/**
 * The firmware that an operator means by its id or by `name@version`; names have no `@`.
 *
 * @throws CommandFailed when there is none, or several of that name and version
 */
export async function findFirmware(
  api: Pick<ApiClient, 'getFirmware' | 'listFirmware'>,
  named: string,
  { product, module }: FirmwarePlace = {},
): Promise<FirmwareAnswer> {
  const at = named.indexOf('@');
  if (at < 0) return api.getFirmware(named);
  const ofThatName = await namesakes(api, { name: named.slice(0, at), version: named.slice(at + 1) });
  const found = ofThatName.filter(
    (one) => (product === undefined || one.productKey === product) && (module === undefined || one.module === module),
  );
  const [first, ...others] = found;
  if (!first)
    throw new CommandFailed(
      `There is no firmware ${named}${placeText({ product, module })}. "ferry firmware list" shows all.`,
    );
  if (others.length === 0) return first;
  const places = found.map((one) => `  ${one.id}  product ${one.productKey}, module ${one.module}`);
  throw new CommandFailed(
    `There are ${found.length} firmware ${named}; name one by its id, or add --product or --module:\n${places.join('\n')}`,
  );
}

const placeText = ({ product, module }: FirmwarePlace): string =>
  [product === undefined ? '' : ` of product ${product}`, module === undefined ? '' : ` for module ${module}`].join('');

async function namesakes(
  api: Pick<ApiClient, 'listFirmware'>,
  { name, version }: Pick<FirmwareAnswer, 'name' | 'version'>,
): Promise<FirmwareAnswer[]> {
  const found: FirmwareAnswer[] = [];
  for await (const firmware of eachItem((page) => api.listFirmware(page))) {
    if (firmware.name === name && firmware.version === version) found.push(firmware);
  }
  return found;
}

/** `name@version`, as people say it. */
export const firmwareName = ({ name, version }: Pick<FirmwareAnswer, 'name' | 'version'>): string =>
  `${name}@${version}`;

/** The words of a shell that mean this firmware and no other: with its product and module where these are needed. */
export async function firmwareWords(api: Pick<ApiClient, 'listFirmware'>, firmware: FirmwareAnswer): Promise<string> {
  const others = (await namesakes(api, firmware)).filter(({ id }) => id !== firmware.id);
  const { productKey, module } = firmware;
  const isOfOtherProduct = others.some((other) => other.productKey !== productKey);
  const isOfOtherModule = others.some((other) => other.productKey === productKey && other.module !== module);
  return shellLine(
    firmwareName(firmware),
    ...(isOfOtherProduct ? ['--product', productKey] : []),
    ...(isOfOtherModule ? ['--module', module] : []),
  );
}
