import { notFound } from '../domain/errors.js';
import type { Product, VersionCount } from '../records/records.js';
import { Permission } from './auth.js';
import { conflictAnswer, pageAnswer, productAnswer } from './answers.js';
import { noteBefore } from './audit.js';
import type { ApiDeps } from './deps.js';
import { idempotencyOf, IdempotencyHeaders, markReplay } from './idempotency.js';
import { newProductKey } from './ids.js';
import { json, jsonBody, operation } from './operation.js';
import { BatchRules, ChangeProduct, CreateProduct, PageQuery, ProductParams, VersionsQuery } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import { pageOf, ProductSchema, VersionsSchema } from './schemas.js';

const createProduct = operation({
  id: 'createProduct',
  method: 'post',
  path: '/v1/products',
  tag: 'Products',
  summary: 'Create a product',
  permission: Permission.WRITE_DEVICES,
  scope: Scope.SERVICE,
  action: 'product.create',
  request: { headers: IdempotencyHeaders, body: jsonBody(CreateProduct) },
  responses: { 201: json(ProductSchema, 'The product') },
  problems: ['product-exists', 'idempotency-key-reused'],
});

const getProduct = operation({
  id: 'getProduct',
  method: 'get',
  path: '/v1/products/{productKey}',
  tag: 'Products',
  summary: 'Show a product',
  permission: Permission.READ,
  scope: Scope.PRODUCT,
  request: { params: ProductParams },
  responses: { 200: json(ProductSchema, 'The product') },
  problems: ['not-found'],
});

const changeProduct = operation({
  id: 'changeProduct',
  method: 'patch',
  path: '/v1/products/{productKey}',
  tag: 'Products',
  summary: 'Give a product another name',
  permission: Permission.WRITE_DEVICES,
  scope: Scope.PRODUCT,
  action: 'product.rename',
  request: { params: ProductParams, body: jsonBody(ChangeProduct) },
  responses: { 200: json(ProductSchema, 'The product') },
  problems: ['not-found'],
});

const setBatchRules = operation({
  id: 'setBatchRules',
  method: 'put',
  path: '/v1/products/{productKey}/batch-rules',
  tag: 'Products',
  summary: 'Say how many devices must have succeeded in verifications of a firmware before a batch of it',
  description:
    'Batches under way go on. Without the rule, a verification makes a firmware verified whatever its results.',
  permission: Permission.TRUST_KEYS,
  scope: Scope.PRODUCT,
  action: 'product.batch-rules',
  request: { params: ProductParams, body: jsonBody(BatchRules) },
  responses: { 200: json(ProductSchema, 'The product') },
  problems: ['not-found'],
});

const deleteProduct = operation({
  id: 'deleteProduct',
  method: 'delete',
  path: '/v1/products/{productKey}',
  tag: 'Products',
  summary: 'Take a product out of service',
  description:
    'It must have no devices, no firmware that is not deleted, and no tokens that are good for it only. What the records say of it stays, and then its key stays taken.',
  permission: Permission.WRITE_DEVICES,
  scope: Scope.SERVICE,
  action: 'product.delete',
  request: { params: ProductParams },
  responses: { 200: json(ProductSchema, 'The product as it was') },
  problems: ['not-found', 'product-in-use'],
});

const listProducts = operation({
  id: 'listProducts',
  method: 'get',
  path: '/v1/products',
  tag: 'Products',
  summary: 'List products, newest first',
  permission: Permission.READ,
  scope: Scope.NARROWED,
  request: { query: PageQuery },
  responses: { 200: json(pageOf(ProductSchema), 'A page of products') },
  problems: [],
});

const listVersions = operation({
  id: 'listVersions',
  method: 'get',
  path: '/v1/products/{productKey}/versions',
  tag: 'Products',
  summary: 'List the versions that run on the devices of a product, most devices first',
  permission: Permission.READ,
  scope: Scope.PRODUCT,
  request: { params: ProductParams, query: VersionsQuery },
  responses: { 200: json(VersionsSchema, 'A page of versions, each with the batch that updates it') },
  problems: ['not-found'],
});

export function productRoutes({ records, now }: Pick<ApiDeps, 'records'> & { readonly now: () => number }) {
  async function existing(productKey: string): Promise<Product> {
    const product = await records.getProduct(productKey);
    if (!product) throw notFound(`The product ${productKey}`);
    return product;
  }

  return newRouter()
    .openapi(createProduct, async (c) => {
      const body = c.req.valid('json');
      const product = { productKey: body.productKey ?? newProductKey(), name: body.name, createdAtMs: now() };
      const created = await records.createProduct(product, idempotencyOf(c, body));
      return c.json(productAnswer(markReplay(c, created)), 201);
    })
    .openapi(getProduct, async (c) => c.json(productAnswer(await existing(c.req.valid('param').productKey)), 200))
    .openapi(changeProduct, async (c) => {
      const { productKey } = c.req.valid('param');
      noteBefore(c, { name: (await existing(productKey)).name });
      return c.json(productAnswer(await records.changeProduct(productKey, c.req.valid('json'))), 200);
    })
    .openapi(setBatchRules, async (c) => {
      const { productKey } = c.req.valid('param');
      const { verificationSuccessesMin } = await existing(productKey);
      noteBefore(c, { verificationSuccessesMin });
      return c.json(productAnswer(await records.changeProduct(productKey, c.req.valid('json'))), 200);
    })
    .openapi(deleteProduct, async (c) => {
      const deleted = productAnswer(await records.deleteProduct(c.req.valid('param').productKey, now()));
      noteBefore(c, deleted);
      return c.json(deleted, 200);
    })
    .openapi(listVersions, async (c) => {
      const { productKey } = c.req.valid('param');
      const { module, ...page } = c.req.valid('query');
      await existing(productKey);
      const [counts, conflicts] = await Promise.all([
        records.countVersions(productKey, module, page),
        records.listConflicts(productKey, module),
      ]);
      const claims = new Map(conflicts.flatMap((claim) => claim.sourceVersions.map((version) => [version, claim])));
      const answer = ({ version, devices }: VersionCount) => {
        const claim = version === null ? undefined : claims.get(version);
        return { version, devices, claimedBy: claim ? conflictAnswer(claim) : null };
      };
      return c.json(pageAnswer(counts, answer), 200);
    })
    .openapi(listProducts, async (c) => {
      const only = narrowed(c);
      if (only !== undefined) {
        const product = await records.getProduct(only);
        return c.json({ items: product ? [productAnswer(product)] : [], nextCursor: null }, 200);
      }
      const page = await records.listProducts(c.req.valid('query'));
      return c.json(pageAnswer(page, productAnswer), 200);
    });
}
