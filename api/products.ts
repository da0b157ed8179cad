import { Permission } from './auth.js';
import { pageAnswer, productAnswer } from './answers.js';
import type { ApiDeps } from './deps.js';
import { idempotencyOf, IdempotencyHeaders, markReplay } from './idempotency.js';
import { newProductKey } from './ids.js';
import { json, jsonBody, operation } from './operation.js';
import { CreateProduct, PageQuery } from './requests.js';
import { newRouter } from './router.js';
import { pageOf, ProductSchema } from './schemas.js';

const createProduct = operation({
  method: 'post',
  path: '/v1/products',
  tag: 'Products',
  summary: 'Create a product',
  permission: Permission.WRITE_DEVICES,
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
  request: { query: PageQuery },
  responses: { 200: json(pageOf(ProductSchema), 'A page of products') },
  problems: [],
});

export function productRoutes({ records, now }: Pick<ApiDeps, 'records'> & { readonly now: () => number }) {
  return newRouter()
    .openapi(createProduct, async (c) => {
      const body = c.req.valid('json');
      const product = { productKey: body.productKey ?? newProductKey(), name: body.name, createdAtMs: now() };
      const created = await records.createProduct(product, idempotencyOf(c, body));
      return c.json(productAnswer(markReplay(c, created)), 201);
    })
    .openapi(listProducts, async (c) => {
      const page = await records.listProducts(c.req.valid('query'));
      return c.json(pageAnswer(page, productAnswer), 200);
    });
}
