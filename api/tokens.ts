import { randomBytes } from 'node:crypto';
import { invalidField, notFound } from '../domain/errors.js';
import { isReservedName, RESERVED_NAMES } from '../domain/principal-names.js';
import type { Records, Token } from '../records/records.js';
import { iso, isoOrNull, pageAnswer } from './answers.js';
import { digest, Permission } from './auth.js';
import { noteBefore } from './audit.js';
import { newId } from './ids.js';
import type { LiveStreams } from './live-streams.js';
import { json, jsonBody, operation } from './operation.js';
import { CreateToken, IdParams, PageQuery } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { NewTokenSchema, pageOf, TokenSchema, type TokenAnswer } from './schemas.js';

const createToken = operation({
  id: 'createToken',
  method: 'post',
  path: '/v1/tokens',
  tag: 'Tokens',
  summary: 'Create a token for a person or a program',
  description: 'The answer is the only one that shows it.',
  permission: Permission.MANAGE_TOKENS,
  scope: Scope.SERVICE,
  action: 'token.create',
  request: { body: jsonBody(CreateToken) },
  responses: { 201: json(NewTokenSchema, 'The token') },
  problems: ['token-exists', 'not-found'],
});

const listTokens = operation({
  id: 'listTokens',
  method: 'get',
  path: '/v1/tokens',
  tag: 'Tokens',
  summary: 'List tokens, revoked ones too, newest first',
  permission: Permission.MANAGE_TOKENS,
  scope: Scope.SERVICE,
  request: { query: PageQuery },
  responses: { 200: json(pageOf(TokenSchema), 'A page of tokens') },
  problems: [],
});

const revokeToken = operation({
  id: 'revokeToken',
  method: 'delete',
  path: '/v1/tokens/{id}',
  tag: 'Tokens',
  summary: 'Revoke a token at once: its sessions and event streams end',
  permission: Permission.MANAGE_TOKENS,
  scope: Scope.SERVICE,
  action: 'token.revoke',
  request: { params: IdParams },
  responses: { 200: json(TokenSchema, 'The revoked token') },
  problems: ['not-found'],
});

/** Names what it is to who finds it, and to scanners of secrets. */
const PREFIX = 'ferry_';
const SECRET_BYTES = 32;

interface TokenDeps {
  readonly records: Pick<Records, 'addToken' | 'listTokens' | 'getToken' | 'revokeToken'>;
  readonly streams: LiveStreams;
  readonly now: () => number;
}

export function tokenRoutes({ records, streams, now }: TokenDeps) {
  return newRouter()
    .openapi(createToken, async (c) => {
      const { name, role, productKey, expiresAt } = c.req.valid('json');
      if (isReservedName(name)) {
        throw invalidField('name', `must not look like ${RESERVED_NAMES.join(', ')}: the audit log calls others so`);
      }
      const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
      if (expiresAtMs !== null && expiresAtMs <= now()) throw invalidField('expiresAt', 'must be in the future');
      const secret = `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64url')}`;
      const token = await records.addToken({
        id: newId(),
        name,
        role,
        productKey: productKey ?? null,
        hash: digest(secret).toString('hex'),
        createdBy: c.get('principal').name,
        createdAtMs: now(),
        expiresAtMs,
      });
      c.header('Cache-Control', 'no-store');
      return c.json({ ...tokenAnswer(token), token: secret }, 201);
    })
    .openapi(listTokens, async (c) =>
      c.json(pageAnswer(await records.listTokens(c.req.valid('query')), tokenAnswer), 200),
    )
    .openapi(revokeToken, async (c) => {
      const { id } = c.req.valid('param');
      const before = await records.getToken(id);
      if (!before) throw notFound(`Token ${id}`);
      noteBefore(c, tokenAnswer(before));
      const revoked = await records.revokeToken(id, now());
      streams.endOf(id);
      return c.json(tokenAnswer(revoked), 200);
    });
}

const tokenAnswer = (token: Token): TokenAnswer => ({
  id: token.id,
  name: token.name,
  role: token.role,
  productKey: token.productKey,
  createdBy: token.createdBy,
  createdAt: iso(token.createdAtMs),
  expiresAt: isoOrNull(token.expiresAtMs),
  lastUsedAt: isoOrNull(token.lastUsedAtMs),
  revokedAt: isoOrNull(token.revokedAtMs),
});
