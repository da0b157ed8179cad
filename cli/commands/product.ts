import { Argument, Command } from 'commander';
import type { ProductAnswer } from '../../api/schemas.js';
import { publicKeyProblem } from '../../domain/names.js';
import { readText } from '../input-file.js';
import { wholeNumber } from '../durations.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime, plural } from '../printable.js';
import { openSession } from '../session.js';
import { pairs, table } from '../table.js';
import { CommandFailed, UsageError } from '../usage-error.js';

export const productCommand = (io: Io): Command =>
  new Command('product')
    .description('create, list, rename and delete products, and say what their firmware needs')
    .addCommand(create(io))
    .addCommand(list(io))
    .addCommand(show(io))
    .addCommand(rename(io))
    .addCommand(remove(io))
    .addCommand(rules(io))
    .addCommand(trust(io))
    .addCommand(untrust(io));

const create = (io: Io): Command =>
  operatingCommand('create [productKey]', 'create a product; its key is generated if none is given', [
    'ferry product create thermostat --name "Thermostat, second generation"',
  ])
    .option('--name <name>', 'name of the product (default: its key)')
    .action(async (productKey: string | undefined, options: { name?: string }) => {
      const session = openSession(io, options);
      const name = options.name ?? productKey ?? 'Product';
      const product = await session.api.createProduct(productKey === undefined ? { name } : { productKey, name });
      session.answer(product, () => `Product ${product.productKey} created.`);
    });

/** Also as a command of its own, as `devices` and `tasks` are. */
export const productsCommand = (io: Io): Command => list(io, 'products');

const list = (io: Io, name = 'list'): Command =>
  addPagingOptions(operatingCommand(name, 'list products, newest first', ['ferry product list'])).action(
    async (options: PagingOptions) => {
      const session = openSession(io, options);
      const page = await session.api.listProducts(pageOf(options));
      session.answer(page, () =>
        pageText(page, {
          none: 'There is no product yet: ferry product create KEY',
          text: (items) =>
            table(
              ['product', 'name', 'trusts', 'created'],
              items.map((product) => [
                product.productKey,
                product.name,
                trustedText(product),
                localTime(product.createdAt),
              ]),
            ),
        }),
      );
    },
  );

/** Nothing is taken as long as trust is undecided, though no key is trusted. */
const trustedText = ({ trustedKeys, trustUndecided }: ProductAnswer): string =>
  trustUndecided ? 'undecided' : trustedKeys.map(({ keyId }) => keyId).join(', ') || 'any firmware';

const PRODUCT = new Argument('<product>', 'product key');

const show = (io: Io): Command =>
  operatingCommand('show', 'a product: its name, and what its firmware needs', ['ferry product show thermostat'])
    .addArgument(PRODUCT)
    .action(async (productKey: string, options: object) => {
      const session = openSession(io, options);
      const product = await session.api.getProduct(productKey);
      session.answer(product, () =>
        pairs([
          ['product', product.productKey],
          ['name', product.name],
          ['trusts', trustedText(product)],
          ['a batch needs', rulesText(product)],
          ['created', localTime(product.createdAt)],
        ]),
      );
    });

const rename = (io: Io): Command =>
  operatingCommand('rename', 'give a product another name; its key stays', [
    'ferry product rename thermostat "Thermostat, third generation"',
  ])
    .addArgument(PRODUCT)
    .argument('<name>', 'the new name')
    .action(async (productKey: string, name: string, options: object) => {
      const session = openSession(io, options);
      const product = await session.api.renameProduct(productKey, name);
      session.answer(product, () => `Product ${product.productKey} is named "${product.name}" now.`);
    });

const remove = (io: Io): Command =>
  operatingCommand('delete', 'take a product out of service that has no devices and no firmware left', [
    'ferry product delete thermostat',
  ])
    .addArgument(PRODUCT)
    .action(async (productKey: string, options: object) => {
      const session = openSession(io, options);
      const product = await session.api.deleteProduct(productKey);
      session.answer(product, () => `Product ${product.productKey} is deleted. What the records say of it stays.`);
    });

const rules = (io: Io): Command =>
  operatingCommand('rules', 'say how many devices must have succeeded in verifications before a batch', [
    'ferry product rules thermostat --successes 2',
  ])
    .addArgument(PRODUCT)
    .requiredOption('--successes <number>', 'different devices, for each firmware; 0: none needs to', wholeNumber(0))
    .action(async (productKey: string, { successes, ...options }: { successes: number }) => {
      const session = openSession(io, options);
      const product = await session.api.setBatchRules(productKey, { verificationSuccessesMin: successes });
      session.answer(product, () => `Before a batch of product ${product.productKey}: ${rulesText(product)}.`);
    });

const rulesText = ({ verificationSuccessesMin: least }: ProductAnswer): string =>
  least === 0
    ? 'a completed verification, whatever its results'
    : `success on ${plural(least, 'device')} in verifications of the firmware`;

const trust = (io: Io): Command =>
  operatingCommand('trust', 'from now on, its firmware must be signed: by this key, or another one that it trusts', [
    'ferry product trust thermostat release.key.pub',
    'ferry product trust thermostat --any',
  ])
    .addArgument(PRODUCT)
    .argument('[file]', 'the public key, as "ferry keys generate" has made it')
    .option('--any', 'trust no key, and take any firmware: also decides it for a product of rebuilt records')
    .action(async (productKey: string, file: string | undefined, options: { readonly any?: boolean }) => {
      if ((file === undefined) !== (options.any === true)) {
        throw new UsageError('Name the file of a public key, or --any to take any firmware.');
      }
      const publicKey = file === undefined ? undefined : await publicKeyIn(file);
      const session = openSession(io, options);
      const product = await (publicKey === undefined
        ? session.api.setTrustedKeys(productKey, [])
        : session.api.trustKey(productKey, publicKey));
      session.answer(product, () => trustText(product));
    });

/** Whatever else is in the file, above all a private key, must not leave this machine. @throws CommandFailed */
async function publicKeyIn(path: string): Promise<string> {
  const key = (await readText(path)).trim();
  if (publicKeyProblem(key) === undefined) return key;
  throw new CommandFailed(
    key.includes('PRIVATE KEY')
      ? `${path} is a private key: it stays where firmware is signed. Name the file of the public one, which ends with .pub.`
      : `${path} is no public key: name the file <key>.pub that "ferry keys generate" has made.`,
  );
}

const untrust = (io: Io): Command =>
  operatingCommand('untrust', 'trust a key no more; without any, unsigned firmware is taken again', [
    'ferry product untrust thermostat 3f9a0c5d2b7e8a10',
  ])
    .addArgument(PRODUCT)
    .argument('<keyId>', 'of the key, as "ferry product list" shows it')
    .action(async (productKey: string, keyId: string, options: object) => {
      const session = openSession(io, options);
      const product = await session.api.untrustKey(productKey, keyId);
      session.answer(product, () => trustText(product));
    });

const trustText = ({ productKey, trustedKeys }: ProductAnswer): string =>
  trustedKeys.length === 0
    ? `Product ${productKey} takes unsigned firmware.`
    : `Product ${productKey} takes only firmware signed by ${trustedKeys.map(({ keyId }) => keyId).join(' or ')}.`;
