import { eachItem, type ApiClient } from '../api/client.js';
import type { FirmwareAnswer } from '../api/schemas.js';
import { CommandFailed } from './usage-error.js';

/**
 * The firmware that an operator means by its id or by `name@version`; names have no `@`.
 *
 * @throws CommandFailed when there is none, or several of that name and version
 */
export async function findFirmware(api: ApiClient, named: string): Promise<FirmwareAnswer> {
  const at = named.indexOf('@');
  if (at < 0) return api.getFirmware(named);
  const [name, version] = [named.slice(0, at), named.slice(at + 1)];
  const found: FirmwareAnswer[] = [];
  for await (const firmware of eachItem((page) => api.listFirmware(page))) {
    if (firmware.name === name && firmware.version === version) found.push(firmware);
  }
  const [first, ...others] = found;
  if (!first) throw new CommandFailed(`There is no firmware ${named}. "ferry firmware list" shows all.`);
  if (others.length === 0) return first;
  const places = found.map((one) => `  ${one.id}  product ${one.productKey}, module ${one.module}`);
  throw new CommandFailed(`There are ${found.length} firmware ${named}; name one by its id:\n${places.join('\n')}`);
}

/** `name@version`, as people say it. */
export const firmwareName = ({ name, version }: Pick<FirmwareAnswer, 'name' | 'version'>): string =>
  `${name}@${version}`;
