import { notFound } from '../domain/errors.js';
import { keyIdOf } from '../firmware/signature.js';
import type { Records } from '../records/records.js';
import { productAnswer } from './answers.js';
import { noteBefore } from './audit.js';
import { Permission } from './auth.js';
import { json, jsonBody, operation } from './operation.js';
import { ProductParams, TrustKeys } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { ProductSchema } from './schemas.js';

const putTrustedKeys = operation({
  method: 'put',
  path: '/v1/products/{productKey}/trusted-keys',
  tag: 'Products',
  summary: 'Set the public keys by one of which the firmware of a product must be signed',
  description:
    'From the first key on, unsigned firmware is neither taken nor sent any more, also firmware that is there already. The service never has a private key.',
  permission: Permission.TRUST_KEYS,
  scope: Scope.PRODUCT,
  action: 'product.trust',
  request: { params: ProductParams, body: jsonBody(TrustKeys) },
  responses: { 200: json(ProductSchema, 'The product') },
  problems: ['not-found'],
});

export function trustedKeyRoutes({ records }: { readonly records: Pick<Records, 'getProduct' | 'trustKeys'> }) {
  return newRouter().openapi(putTrustedKeys, async (c) => {
    const { productKey } = c.req.valid('param');
    const { publicKeys } = c.req.valid('json');
    const before = await records.getProduct(productKey);
    if (!before) throw notFound(`The product ${productKey}`);
    noteBefore(c, { trustedKeys: before.trustedKeys });
    const keys = Array.from(new Set(publicKeys), (publicKey) => ({ keyId: keyIdOf(publicKey), publicKey }));
    return c.json(productAnswer(await records.trustKeys(productKey, keys)), 200);
  });
}
