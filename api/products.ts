import { notFound } from '../domain/errors.js';
import { Permission } from './auth.js';
import { conflictAnswer, pageAnswer, productAnswer } from './answers.js';
import type { VersionCount } from '../records/records.js';
import type { ApiDeps } from './deps.js';
import { idempotencyOf, IdempotencyHeaders, markReplay } from './idempotency.js';
import { newProductKey } from './ids.js';
import { json, jsonBody, operation } from './operation.js';
import { CreateProduct, PageQuery, ProductParams, VersionsQuery } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import { pageOf, ProductSchema, VersionsSchema } from './schemas.js';

const createProduct = operation({
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

const listProducts = operation({
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
  return newRouter()
    .openapi(createProduct, async (c) => {
      const body = c.req.valid('json');
      const product = { productKey: body.productKey ?? newProductKey(), name: body.name, createdAtMs: now() };
      const created = await records.createProduct(product, idempotencyOf(c, body));
      return c.json(productAnswer(markReplay(c, created)), 201);
    })
    .openapi(listVersions, async (c) => {
      const { productKey } = c.req.valid('param');
      const { module, ...page } = c.req.valid('query');
      if (!(await records.getProduct(productKey))) throw notFound(`The product ${productKey}`);
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
