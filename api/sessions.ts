import { randomBytes } from 'node:crypto';
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { FerryError, invalidField } from '../domain/errors.js';
import type { Records } from '../records/records.js';
import { iso } from './answers.js';
import { basePathOf } from './base-path.js';
import { digest, Permission, type Credentials, type SignInFailures } from './auth.js';
import type { LiveStreams } from './live-streams.js';
import type { ApiEnv, Principal, SignedIn } from './deps.js';
import { json, jsonBody, operation } from './operation.js';
import { SignIn } from './requests.js';
import { newRouter } from './router.js';
import { Scope } from './scope.js';
import { SessionSchema } from './schemas.js';

/**
 * With TLS, a browser keeps a cookie of the prefix `__Host-` to the very host and to https. Below a base path it refuses
 * it, and `__Secure-` keeps the cookie to https. Without TLS it refuses both, so that the name stays bare.
 */
export function cookieName(isSecure: boolean, basePath: string): string {
  if (!isSecure) return 'ferry-session';
  return basePath === '' ? '__Host-ferry-session' : '__Secure-ferry-session';
}
/**
 * What the console sends along with its cookie. A page from elsewhere can't: no other origin gets this header past a
 * browser without our leave, which we never give.
 */
const CONSOLE_HEADER = 'x-ferry-console';
const SESSION_MS = 7 * 86_400_000;
const SIGN_IN_LINK_MS = 86_400_000;

/** Secrets of 256 bits need no salt and no slow hash. */
const newSecret = (): string => randomBytes(32).toString('base64url');
const hashOf = (secret: string): string => digest(secret).toString('hex');

/**
 * A path of the console that signs in once, within a day. The secret stands in the fragment, which no server and no log
 * ever sees.
 */
export async function createSignInPath(records: Pick<Records, 'addSignInLink'>, nowMs: number): Promise<string> {
  const secret = newSecret();
  await records.addSignInLink(hashOf(secret), nowMs + SIGN_IN_LINK_MS);
  return `/sign-in#link=${secret}`;
}

interface SessionDeps {
  readonly records: Records;
  readonly credentials: Credentials;
  readonly failures: SignInFailures;
  readonly streams: LiveStreams;
  /** The console is reached by https only. */
  readonly secureCookie: boolean;
  readonly publicUrl: string | undefined;
  readonly now: () => number;
}

export type Sessions = ReturnType<typeof createSessions>;

/** Who is signed in at the console: a cookie, whose digest the records hold until it expires or is ended. */
export function createSessions(deps: SessionDeps) {
  const { records, credentials, failures, streams, secureCookie, now } = deps;
  const publicHost = deps.publicUrl === undefined ? undefined : hostOf(deps.publicUrl);
  const basePath = basePathOf(deps.publicUrl);
  const cookie = cookieName(secureCookie, basePath);
  const attributes = { httpOnly: true, sameSite: 'Strict', path: basePath || '/', secure: secureCookie } as const;

  function draft(principal: Principal) {
    const secret = newSecret();
    const createdAtMs = now();
    const expiresAtMs = Math.min(createdAtMs + SESSION_MS, principal.expiresAtMs ?? Infinity);
    const { credential } = principal;
    return {
      secret,
      session: { hash: hashOf(secret), principal: principal.name, credential, createdAtMs, expiresAtMs },
    };
  }

  return {
    /** @throws FerryError `unauthorized` */
    async signIn(c: Context<ApiEnv>, { token, link }: { readonly token?: string; readonly link?: string }) {
      const principal = token === undefined ? credentials.ofLinks : await credentials.byToken(token);
      if (!principal) {
        throw failures.refused(c, refused('token', 'is not valid; the data folder keeps one in its file admin-token'));
      }
      const { secret, session } = draft(principal);
      if (token !== undefined) await records.addSession(session);
      else if (!(await records.redeemSignInLink(hashOf(link ?? ''), session))) {
        throw failures.refused(c, refused('link', 'was used or has expired; sign in with the token'));
      }
      c.set('principal', principal);
      setCookie(c, cookie, secret, { ...attributes, expires: new Date(session.expiresAtMs) });
      return { principal, expiresAtMs: session.expiresAtMs };
    },

    async signOut(c: Context<ApiEnv>) {
      const session = c.get('session');
      if (session) {
        await records.endSession(session.hash);
        streams.endOf(session.hash);
      }
      deleteCookie(c, cookie, attributes);
    },

    /**
     * Whose cookie comes with the request; undefined if none does.
     *
     * @throws FerryError `forbidden` for a request that a page from elsewhere may have caused
     */
    async principalOf(c: Context<ApiEnv>): Promise<{ principal: Principal; session: SignedIn } | undefined> {
      const secret = getCookie(c, cookie);
      if (secret === undefined) return undefined;
      const hash = hashOf(secret);
      const session = await records.getSession(hash, now());
      const principal = session && (await credentials.byCredential(session.credential));
      if (!principal) return undefined;
      requireOwnOrigin(c, publicHost);
      if (needsConsoleHeader(c) && c.req.header(CONSOLE_HEADER) === undefined) {
        throw new FerryError('forbidden', 'A request with the session cookie needs the header X-Ferry-Console.');
      }
      return { principal, session: { hash, expiresAtMs: session.expiresAtMs } };
    },
  };
}

/** Reading is harmless: no other origin sees the answer. A stream holds a connection, though. */
const needsConsoleHeader = ({ req }: Context<ApiEnv>): boolean =>
  (req.method !== 'GET' && req.method !== 'HEAD') || req.path.endsWith('/events');

/**
 * A browser says which page has caused a request. Another one's is refused, whatever it asks for: answers that stream
 * would hold a connection, and a cookie is no proof of intent.
 */
function requireOwnOrigin({ req }: Context<ApiEnv>, publicHost: string | undefined): void {
  const origin = req.header('origin');
  // A proxy in front mostly asks for its own address of the service, not for what the browser has asked for.
  const own = [req.header('host'), publicHost].filter((host) => host !== undefined);
  const isForeign = origin !== undefined && !own.includes(hostOf(origin) ?? '');
  if (!isForeign && !/^(cross-site|same-site)$/.test(req.header('sec-fetch-site') ?? '')) return;
  throw new FerryError('forbidden', 'A request with the session cookie must come from a page of this service.');
}

const hostOf = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).host : undefined);

const refused = (field: 'token' | 'link', message: string): FerryError =>
  new FerryError('unauthorized', `The ${field} ${message}.`, { errors: [{ field, message }] });

const postSession = operation({
  id: 'signIn',
  method: 'post',
  path: '/v1/session',
  tag: 'Session',
  summary: 'Sign in a browser, with a token or with the secret of a sign-in link',
  description:
    'Answers with a session cookie. Requests with it need the header `X-Ferry-Console: 1`, unless they only read. Programs send a token instead.',
  permission: null,
  scope: Scope.SELF,
  action: 'session.begin',
  request: { body: jsonBody(SignIn) },
  responses: { 201: json(SessionSchema, 'The session') },
  problems: ['unauthorized', 'too-many-requests'],
});

const getSession = operation({
  id: 'getSession',
  method: 'get',
  path: '/v1/session',
  tag: 'Session',
  summary: 'Show who is asking',
  permission: Permission.READ,
  scope: Scope.SELF,
  responses: { 200: json(SessionSchema, 'The session') },
  problems: [],
});

const deleteSession = operation({
  id: 'signOut',
  method: 'delete',
  path: '/v1/session',
  tag: 'Session',
  summary: 'Sign out: the session of the cookie ends',
  permission: Permission.READ,
  scope: Scope.SELF,
  action: 'session.end',
  responses: { 204: { description: 'It has ended' } },
  problems: [],
});

const answer = ({ name, role, productKey, permissions }: Principal, expiresAtMs: number | undefined) => ({
  name,
  role,
  productKey,
  permissions: [...permissions],
  expiresAt: expiresAtMs === undefined ? null : iso(expiresAtMs),
});

/** Mounted before the door that asks who is there. */
export const signInRoutes = (sessions: Sessions) =>
  newRouter().openapi(postSession, async (c) => {
    const body = c.req.valid('json');
    if ((body.token === undefined) === (body.link === undefined)) throw invalidField('token', 'is required, or link');
    const { principal, expiresAtMs } = await sessions.signIn(c, body);
    c.header('Cache-Control', 'no-store');
    return c.json(answer(principal, expiresAtMs), 201);
  });

export const sessionRoutes = (sessions: Sessions) =>
  newRouter()
    .openapi(getSession, (c) => c.json(answer(c.get('principal'), c.get('session')?.expiresAtMs), 200))
    .openapi(deleteSession, async (c) => {
      await sessions.signOut(c);
      return c.body(null, 204);
    });
