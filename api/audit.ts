import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Counter } from 'prom-client';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { FerryError } from '../domain/errors.js';
import type { AuditDraft, AuditEntry, Records } from '../records/records.js';
import { addressOf } from './address.js';
import { iso } from './answers.js';
import type { ApiEnv, ApiLog, Principal } from './deps.js';
import { tellNews } from './news.js';
import { REPLAYED_HEADER } from './idempotency.js';
import type { AuditEntryAnswer } from './schemas.js';

/**
 * What was before, for the entry that the request leaves in the audit log: only the handler knows it. The rest is told by
 * the request and its answer.
 *
 * @param before plain JSON, without secrets
 */
export const noteBefore = (c: Context<ApiEnv>, before: object): void => c.set('before', before);

/** The request repeats one that is in the audit log already, and changes nothing: it leaves no second entry. */
export const noteNothingDone = (c: Context<ApiEnv>): void => c.set('isRepeat', true);

interface AuditDeps {
  readonly records: Pick<Records, 'addAudit'>;
  /** The action of a route (operation.ts), by method and pattern; undefined for one that changes nothing. */
  readonly actionOf: (method: string, pattern: string) => string | undefined;
  /** Of those who send no valid token. */
  readonly strangers: Pick<Counter<'code'>, 'inc'>;
  readonly log: ApiLog;
  readonly now: () => number;
}

/** The log is for ever: strangers leave no more than this in it, and so do requests of one token that it does not allow. */
const STRANGERS_AN_HOUR = 30;
const FORBIDDEN_AN_HOUR = 30;
const HOUR_SECONDS = 3_600;

/**
 * Writes down every request that changes something, or was to: also those that are refused. Of those who send no valid
 * token, the first ones of an hour; all of them are counted. Of what a token does not allow, its first ones of an hour.
 */
export function auditRequests({ records, actionOf, strangers, log, now }: AuditDeps): MiddlewareHandler<ApiEnv> {
  const noted = new RateLimiterMemory({ points: STRANGERS_AN_HOUR, duration: HOUR_SECONDS });
  const forbidden = new RateLimiterMemory({ points: FORBIDDEN_AN_HOUR, duration: HOUR_SECONDS });
  return async (c, next) => {
    await next();
    const pattern = matchedRoutes(c).findLast(({ method }) => method === c.req.method)?.path;
    const action = pattern === undefined ? undefined : actionOf(c.req.method, pattern);
    if (action === undefined) return;
    const refusal = c.error instanceof FerryError ? c.error : undefined;
    const isStranger = (c.get('principal') as Principal | undefined) === undefined;
    if (isStranger) strangers.inc({ code: refusal?.code ?? 'internal' });
    // What is held back for sending rubbish must not fill the log with it.
    if (refusal?.code === 'too-many-requests') return;
    if (c.get('isRepeat') === true) return;
    if (isStranger && !(await isWithin(noted, 'all'))) return;
    if (!isStranger && refusal?.code === 'forbidden' && !(await isWithin(forbidden, c.get('principal').id))) return;
    const answer = await answerOf(c.res);
    const draft = draftOf(c, { action, atMs: now(), answer });
    tellNews(log, draft, answer);
    await records
      .addAudit(draft)
      .catch((error: unknown) => log.error({ err: error, action }, 'the audit log could not be written'));
  };
}

const isWithin = (limit: RateLimiterMemory, who: string): Promise<boolean> =>
  limit.consume(who).then(
    () => true,
    () => false,
  );

interface Asked {
  readonly action: string;
  readonly atMs: number;
  readonly answer: Json | undefined;
}

function draftOf(c: Context<ApiEnv>, { action, atMs, answer }: Asked): AuditDraft {
  const principal = c.get('principal') as ApiEnv['Variables']['principal'] | undefined;
  const isDone = c.res.ok;
  return {
    atMs,
    actor: principal?.name ?? 'unknown',
    action,
    target: targetOf(c, isDone ? answer : undefined)?.slice(0, TARGET_CHARACTERS_MAX) ?? null,
    productKey:
      c.req.param('productKey')?.slice(0, TARGET_CHARACTERS_MAX) ?? productOf(answer) ?? principal?.productKey ?? null,
    address: addressOf(c),
    outcome: isDone ? 'done' : (stringOf(answer?.['code']) ?? String(c.res.status)),
    before: textOf(c.get('before')),
    after: isDone
      ? textOf(afterOf(c, answer))
      : textOf({ detail: stringOf(answer?.['detail'])?.slice(0, TEXT_CHARACTERS_MAX) }),
  };
}

type Json = Readonly<Record<string, unknown>>;

/** Longer answers say nothing that an audit needs. */
const ANSWER_BYTES_MAX = 64 * 1_024;

async function answerOf(response: Response): Promise<Json | undefined> {
  if (!/\bjson\b/.test(response.headers.get('content-type') ?? '')) return undefined;
  const text = await response.clone().text();
  if (text.length > ANSWER_BYTES_MAX) return undefined;
  return JSON.parse(text) as Json;
}

/** `task/abc`: by the path, or by what was created. */
function targetOf(c: Context<ApiEnv>, answer: Json | undefined): string | null {
  const { productKey, deviceName, id } = c.req.param() as Record<string, string | undefined>;
  const [, , kind = ''] = c.req.path.split('/');
  const word = KINDS[kind];
  if (productKey !== undefined)
    return deviceName === undefined ? `product/${productKey}` : `device/${productKey}/${deviceName}`;
  if (id !== undefined)
    return deviceName === undefined ? `${word ?? kind}/${id}` : `${word ?? kind}/${id}/${deviceName}`;
  const created = stringOf(answer?.['id']) ?? stringOf(answer?.['productKey']);
  return word === undefined || created === undefined ? null : `${word}/${created}`;
}
const KINDS: Readonly<Record<string, string>> = {
  tasks: 'task',
  firmware: 'firmware',
  products: 'product',
  tokens: 'token',
};

function productOf(answer: Json | undefined): string | undefined {
  const { productKey, firmware } = answer ?? {};
  return stringOf(productKey) ?? stringOf((firmware as Json | undefined)?.['productKey']);
}

const stringOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const afterOf = (c: Context<ApiEnv>, answer: Json | undefined): unknown => {
  const isReplay = c.res.headers.has(REPLAYED_HEADER);
  return answer && { ...(gist(answer, 2) as Json), ...(isReplay && { replayed: true }) };
};

/** Never written down, whatever answer they are in. */
const SECRETS = new Set(['deviceSecret', 'secret', 'token', 'hash', 'link']);
const TEXT_CHARACTERS_MAX = 500;
/** Longer than the target of anything that exists: a product key and a device name. */
const TARGET_CHARACTERS_MAX = 128;
const LIST_MAX = 20;

/** The answer with its lists cut short and without its secrets. */
function gist(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.slice(0, TEXT_CHARACTERS_MAX);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return Array.isArray(value) ? `${value.length} items` : '…';
  if (Array.isArray(value)) {
    const first: unknown[] = value.slice(0, LIST_MAX).map((item) => gist(item, depth - 1));
    return value.length > LIST_MAX ? [...first, `and ${value.length - LIST_MAX} more`] : first;
  }
  const members = Object.entries(value).filter(([name]) => !SECRETS.has(name));
  return Object.fromEntries(members.map(([name, member]) => [name, gist(member, depth - 1)]));
}

const textOf = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

export const auditAnswer = ({ atMs, before, after, ...entry }: AuditEntry): AuditEntryAnswer => ({
  ...entry,
  at: iso(atMs),
  before: parsed(before),
  after: parsed(after),
});

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
