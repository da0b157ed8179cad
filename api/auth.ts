import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { FerryError } from '../domain/errors.js';
import type { ApiEnv, Principal } from './deps.js';
import type { Sessions } from './sessions.js';

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

/** Who may ask, and what a session rests on. */
export interface Credentials {
  readonly byToken: Authenticate;
  /** Whom a sign-in link signs in. */
  readonly ofLinks: Principal;
  /** Digest of the token by which a principal signs in, in hex. */
  credentialOf(principal: Principal): string;
  /** Undefined when the principal's token is another one by now: its sessions end with it. */
  byCredential(principalName: string, credential: string): Principal | undefined;
}

/** The one admin token. Digests are compared, so that neither content nor length shows in the time it takes. */
export function singleToken(adminToken: string): Credentials {
  const expected = digest(adminToken);
  const admin: Principal = { name: 'admin', permissions: new Set(Object.values(Permission)) };
  return {
    byToken: (token) => Promise.resolve(timingSafeEqual(digest(token), expected) ? admin : undefined),
    ofLinks: admin,
    credentialOf: () => expected.toString('hex'),
    byCredential: (name, credential) =>
      name === admin.name && credential === expected.toString('hex') ? admin : undefined,
  };
}

export const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Everything behind it needs `Authorization: Bearer <token>`, or the cookie of a session. */
export function requirePrincipal(
  authenticate: Authenticate,
  sessions: Pick<Sessions, 'principalOf'>,
): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const header = c.req.header('authorization');
    if (header === undefined) {
      const signedIn = await sessions.principalOf(c);
      if (!signedIn) throw unauthorized();
      c.set('principal', signedIn.principal);
      c.set('session', signedIn.session);
      return next();
    }
    const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
    const principal = token === undefined ? undefined : await authenticate(token);
    if (!principal) throw unauthorized();
    c.set('principal', principal);
    return next();
  };
}

const unauthorized = () =>
  new FerryError('unauthorized', 'Send a valid token: "Authorization: Bearer <token>". In the console, sign in.');

/** Only for who has the permission. */
export function requirePermission(permission: Permission): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!c.get('principal').permissions.has(permission)) {
      throw new FerryError('forbidden', `The token lacks the permission ${permission}.`);
    }
    await next();
  };
}
