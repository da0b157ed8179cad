import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { FerryError } from '../domain/errors.js';
import { FailureBackoff } from '../domain/failure-backoff.js';
import { networkOf } from '../domain/network.js';
import { Role } from '../domain/roles.js';
import type { Records, Token } from '../records/records.js';
import { addressOf } from './address.js';
import type { ApiEnv, Principal } from './deps.js';
import type { Sessions } from './sessions.js';

/** What a route asks for; it stands next to the route (operation.ts). */
export const Permission = {
  READ: 'read',
  WRITE_DEVICES: 'devices:write', // products too
  WRITE_FIRMWARE: 'firmware:write',
  RUN_TASKS: 'tasks:run', // and approve others' tasks
  TRUST_KEYS: 'products:trust', // whose signatures firmware needs
  MANAGE_TOKENS: 'tokens:manage',
  READ_AUDIT: 'audit:read',
  REPAIR: 'service:repair',
  FORGET: 'records:forget', // old ones, for ever
} as const;
export type Permission = (typeof Permission)[keyof typeof Permission];

/** Roles are sets of permissions. */
export const PERMISSIONS_OF: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set([Permission.READ]),
  operator: new Set([Permission.READ, Permission.WRITE_DEVICES, Permission.WRITE_FIRMWARE, Permission.RUN_TASKS]),
  admin: new Set(Object.values(Permission)),
};

/** The name of who holds the token of the data folder; no other token may have it. */
export const ADMIN_NAME = 'admin';

/** Who may ask, and what a session rests on. */
export interface Credentials {
  /** The holder of a token; undefined if it is nobody's, or has expired or was revoked. */
  byToken(token: string): Promise<Principal | undefined>;
  /** Whom a sign-in link signs in. */
  readonly ofLinks: Principal;
  /** @param credential digest of a token. Undefined when the token is good no more: its sessions end with it. */
  byCredential(credential: string): Promise<Principal | undefined>;
}

/** How often a token's last use is written down at most. */
const USE_NOTED_MS = 60_000;

interface CredentialDeps {
  readonly records: Pick<Records, 'tokenByHash' | 'tokenUsed'>;
  /** The token of the data folder, or of the configuration. */
  readonly adminToken: string;
  readonly now: () => number;
}

/** Digests are compared and looked up, so that neither content nor length shows in the time it takes. */
export function createCredentials({ records, adminToken, now }: CredentialDeps): Credentials {
  const expected = digest(adminToken);
  const admin: Principal = {
    id: ADMIN_NAME,
    name: ADMIN_NAME,
    role: Role.ADMIN,
    permissions: PERMISSIONS_OF.admin,
    productKey: null,
    credential: expected.toString('hex'),
    expiresAtMs: null,
  };

  async function byHash(hash: string): Promise<Principal | undefined> {
    const token = await records.tokenByHash(hash);
    const atMs = now();
    if (!token || token.revokedAtMs !== null || (token.expiresAtMs ?? Infinity) <= atMs) return undefined;
    // Not waited for, and no reason to refuse anybody.
    if (atMs - (token.lastUsedAtMs ?? 0) >= USE_NOTED_MS) records.tokenUsed(token.id, atMs).catch(() => undefined);
    return principalOf(token, hash);
  }

  return {
    async byToken(token) {
      const given = digest(token);
      return timingSafeEqual(given, expected) ? admin : byHash(given.toString('hex'));
    },
    ofLinks: admin,
    byCredential: async (credential) => (credential === admin.credential ? admin : byHash(credential)),
  };
}

const principalOf = ({ id, name, role, productKey, expiresAtMs }: Token, credential: string): Principal => ({
  id,
  name,
  role,
  permissions: PERMISSIONS_OF[role],
  productKey,
  credential,
  expiresAtMs,
});

/** Secrets of 192 bits and more need no salt and no slow hash. */
export const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Everything behind it needs `Authorization: Bearer <token>`, or the cookie of a session. */
export function requirePrincipal(
  credentials: Pick<Credentials, 'byToken'>,
  sessions: Pick<Sessions, 'principalOf'>,
  failures: SignInFailures,
): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const header = c.req.header('authorization');
    if (header === undefined) {
      const signedIn = await sessions.principalOf(c);
      // Each visit to the console begins with this question, and its answer helps nobody to guess a token.
      if (!signedIn) throw isSessionProbe(c) ? unauthorized() : failures.refused(c, unauthorized());
      c.set('principal', signedIn.principal);
      c.set('session', signedIn.session);
      return next();
    }
    const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
    const principal = token === undefined ? undefined : await credentials.byToken(token);
    if (!principal) throw failures.refused(c, unauthorized());
    c.set('principal', principal);
    return next();
  };
}

const isSessionProbe = ({ req }: Context<ApiEnv>): boolean => req.method === 'GET' && req.path === '/v1/session';

const unauthorized = () =>
  new FerryError('unauthorized', 'Send a valid token: "Authorization: Bearer <token>". In the console, sign in.');

const RULE = { freeFailures: 30, firstMs: 1_000, maxMs: 60_000, forgetMs: 10 * 60_000 };

/**
 * Requests without a valid token, by network: an address that sends many gets 429 in place of 401. A valid token is always
 * heard: an address may be a proxy's.
 */
export class SignInFailures {
  private readonly backoff = new FailureBackoff(RULE);

  constructor(private readonly now: () => number) {}

  /** Counts it. @returns what to throw */
  refused(c: Context<ApiEnv>, refusal: FerryError): FerryError {
    const from = addressOf(c);
    if (from === null) return refusal;
    const address = networkOf(from);
    const waitMs = this.backoff.waitMs(address, this.now());
    if (waitMs === 0) {
      this.backoff.failed(address, this.now());
      return refusal;
    }
    const seconds = Math.ceil(waitMs / 1_000);
    c.header('Retry-After', String(seconds));
    return new FerryError('too-many-requests', `Too many requests without a valid token; try again in ${seconds} s.`);
  }
}

/** Only for a token of all products: what it is about tells of them all. */
export const requireWholeService: MiddlewareHandler<ApiEnv> = async (c, next) => {
  if (c.get('principal').productKey !== null) {
    throw new FerryError('forbidden', 'The token is of one product; this needs a token of all products.');
  }
  await next();
};

/** Only for who has the permission. */
export function requirePermission(permission: Permission): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { permissions, role } = c.get('principal');
    if (!permissions.has(permission)) {
      const roles = Object.values(Role).filter((one) => PERMISSIONS_OF[one].has(permission));
      throw new FerryError(
        'forbidden',
        `The token has the role ${role}, which lacks the permission ${permission}: use a token with the role ${roles.join(' or ')}.`,
      );
    }
    await next();
  };
}
