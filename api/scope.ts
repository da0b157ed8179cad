import type { Context, MiddlewareHandler } from 'hono';
import { FerryError, notFound } from '../domain/errors.js';
import type { Records } from '../records/records.js';
import type { ApiEnv } from './deps.js';

/**
 * How a route keeps a token to its product. Every route has one (operation.ts); what is of another product looks as if
 * it were not there.
 */
export const Scope = {
  PRODUCT: 'product', // of the product in the path
  FIRMWARE: 'firmware', // of the firmware in the path
  TASK: 'task', // of the task in the path
  NARROWED: 'narrowed', // its handler answers, or takes, only what is of the product
  SELF: 'self', // about who asks, or for everyone
  SERVICE: 'service', // about all products: not for a token of one
} as const;
export type Scope = (typeof Scope)[keyof typeof Scope];

/** Which product something belongs to; undefined when it is not there. */
export interface Owners {
  firmware(id: string): Promise<string | undefined>;
  task(id: string): Promise<string | undefined>;
}

export const ownersIn = (records: Pick<Records, 'getFirmware' | 'getTask'>): Owners => ({
  firmware: async (id) => (await records.getFirmware(id))?.productKey,
  task: async (id) => (await records.getTask(id))?.firmware.productKey,
});

/** Refuses a token of one product what is of another. */
export function requireScope(scope: Scope): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { productKey } = c.get('principal');
    if (productKey !== null) await check(c, scope, productKey);
    await next();
  };
}

async function check(c: Context<ApiEnv>, scope: Scope, productKey: string): Promise<void> {
  const owners = c.get('owners');
  const id = c.req.param('id') ?? '';
  switch (scope) {
    case 'product': {
      const asked = c.req.param('productKey') ?? '';
      if (asked !== productKey) throw notFound(`The product ${asked.slice(0, 64)}`);
      return;
    }
    case 'firmware':
      if ((await owners.firmware(id)) !== productKey) throw notFound(`Firmware ${id.slice(0, 64)}`);
      return;
    case 'task':
      if ((await owners.task(id)) !== productKey) throw notFound(`Task ${id.slice(0, 64)}`);
      return;
    case 'service':
      throw new FerryError('forbidden', `The token is for the product ${productKey} only; this is about all products.`);
    case 'narrowed':
    case 'self':
  }
}

/**
 * The product that a request is about: the one it asks for, within the token's scope.
 *
 * @throws FerryError `not-found` for another product than the token's
 */
export function narrowed(c: Context<ApiEnv>, asked?: string): string | undefined {
  const { productKey } = c.get('principal');
  if (productKey === null) return asked;
  if (asked !== undefined && asked !== productKey) throw notFound(`The product ${asked.slice(0, 64)}`);
  return productKey;
}
