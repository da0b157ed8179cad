import type { Context } from 'hono';
import { invalidField, notFound } from '../domain/errors.js';
import { keyIdOf } from '../firmware/signature.js';
import type { Records } from '../records/records.js';
import { productAnswer } from './answers.js';
import { noteBefore } from './audit.js';
import { Permission } from './auth.js';
import type { ApiEnv } from './deps.js';
import { json, jsonBody, operation } from './operation.js';
import { ProductParams, TRUSTED_KEYS_MAX, TrustedKeyParams, TrustKey, TrustKeys } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { ProductSchema } from './schemas.js';

const FIRST_KEY =
  'From the first key on, unsigned firmware is not taken any more and starts no new tasks, also if it is there already. The service never has a private key.';

const changing = {
  tag: 'Products',
  permission: Permission.TRUST_KEYS,
  scope: Scope.PRODUCT,
  action: 'product.trust',
  responses: { 200: json(ProductSchema, 'The product') },
  problems: ['not-found'],
} as const;

const putTrustedKeys = operation({
  id: 'putTrustedKeys',
  ...changing,
  method: 'put',
  path: '/v1/products/{productKey}/trusted-keys',
  summary: 'Set the public keys by one of which the firmware of a product must be signed',
  description: `${FIRST_KEY} An empty list is a decision too: the product takes any firmware.`,
  request: { params: ProductParams, body: jsonBody(TrustKeys) },
});

const addTrustedKey = operation({
  id: 'addTrustedKey',
  ...changing,
  method: 'post',
  path: '/v1/products/{productKey}/trusted-keys',
  summary: 'Trust one more public key',
  description: `Nothing changes if it is trusted already. ${FIRST_KEY}`,
  request: { params: ProductParams, body: jsonBody(TrustKey) },
});

const deleteTrustedKey = operation({
  id: 'deleteTrustedKey',
  ...changing,
  method: 'delete',
  path: '/v1/products/{productKey}/trusted-keys/{keyId}',
  summary: 'Trust a key no more',
  description:
    'Firmware that it has signed starts no new tasks; those under way go on. Without any key, unsigned firmware is taken again.',
  request: { params: TrustedKeyParams },
});

export function trustedKeyRoutes({ records }: { readonly records: Pick<Records, 'trustKeys'> }) {
  return newRouter()
    .openapi(putTrustedKeys, async (c) => {
      const { publicKeys } = c.req.valid('json');
      return changed(c, c.req.valid('param').productKey, () => Array.from(new Set(publicKeys), trusted));
    })
    .openapi(addTrustedKey, async (c) => {
      const key = trusted(c.req.valid('json').publicKey);
      return changed(c, c.req.valid('param').productKey, (before) => {
        if (before.some(({ keyId }) => keyId === key.keyId)) return before;
        if (before.length < TRUSTED_KEYS_MAX) return [...before, key];
        throw invalidField(
          'publicKey',
          `is one more than the ${TRUSTED_KEYS_MAX} that a product may trust; remove one`,
        );
      });
    })
    .openapi(deleteTrustedKey, async (c) => {
      const { productKey, keyId } = c.req.valid('param');
      return changed(c, productKey, (before) => {
        const rest = before.filter((key) => key.keyId !== keyId);
        if (rest.length === before.length) throw notFound(`The trusted key ${keyId} of product ${productKey}`);
        return rest;
      });
    });

  async function changed(c: Context<ApiEnv>, productKey: string, change: Parameters<Records['trustKeys']>[1]) {
    const product = await records.trustKeys(productKey, (before) => {
      noteBefore(c, { trustedKeys: before });
      return change(before);
    });
    return c.json(productAnswer(product), 200);
  }
}

const trusted = (publicKey: string) => ({ keyId: keyIdOf(publicKey), publicKey });
