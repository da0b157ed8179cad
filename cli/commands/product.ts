import { Command } from 'commander';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime } from '../printable.js';
import { openSession } from '../session.js';
import { table } from '../table.js';

export const productCommand = (io: Io): Command =>
  new Command('product').description('create and list products').addCommand(create(io)).addCommand(list(io));

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

const list = (io: Io): Command =>
  addPagingOptions(operatingCommand('list', 'list products, newest first', ['ferry product list'])).action(
    async (options: PagingOptions) => {
      const session = openSession(io, options);
      const page = await session.api.listProducts(pageOf(options));
      session.answer(page, () =>
        pageText(page, {
          none: 'There is no product yet: ferry product create KEY',
          text: (items) =>
            table(
              ['product', 'name', 'created'],
              items.map(({ productKey, name, createdAt }) => [productKey, name, localTime(createdAt)]),
            ),
        }),
      );
    },
  );
