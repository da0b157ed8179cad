import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { FerryError } from '../domain/errors.js';
import type { ApiEnv, Principal } from './deps.js';

/** What a route asks for; it stands next to the route (operation.ts). Roles will be sets of these. */
export const Permission = {
  READ: 'read',
  WRITE_DEVICES: 'devices:write', // products too
  WRITE_FIRMWARE: 'firmware:write',
  RUN_TASKS: 'tasks:run',
  REPAIR: 'service:repair',
} as const;
export type Permission = (typeof Permission)[keyof typeof Permission];

/** The holder of a token; undefined if it is nobody's. */
export type Authenticate = (token: string) => Promise<Principal | undefined>;

/** The one admin token. Digests are compared, so that neither content nor length shows in the time it takes. */
export function singleToken(adminToken: string): Authenticate {
  const expected = digest(adminToken);
  const admin: Principal = { name: 'admin', permissions: new Set(Object.values(Permission)) };
  return (token) => Promise.resolve(timingSafeEqual(digest(token), expected) ? admin : undefined);
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Everything behind it needs `Authorization: Bearer <token>`. */
export function requireToken(authenticate: Authenticate): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
    const principal = token === undefined ? undefined : await authenticate(token);
    if (!principal) throw new FerryError('unauthorized', 'Send a valid token: "Authorization: Bearer <token>".');
    c.set('principal', principal);
    await next();
  };
}

/** Only for who has the permission. */
export function requirePermission(permission: Permission): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!c.get('principal').permissions.has(permission)) {
      throw new FerryError('forbidden', `The token lacks the permission ${permission}.`);
    }
    await next();
  };
}
