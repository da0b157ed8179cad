import type { MiddlewareHandler } from 'hono';
import { Counter, type Registry } from 'prom-client';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { CrowdLimit } from '../domain/crowd.js';
import { FerryError } from '../domain/errors.js';
import type { ApiEnv } from './deps.js';

/** How much the HTTP server takes from strangers, and from each token. */
export interface HttpLimits extends CrowdLimit {
  /** Of a token, whoever holds it; the console's sessions count for theirs. */
  readonly requestsPerMinute: number;
  /** Event streams of a token at once. */
  readonly streamsMax: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  connectionsMax: 10_000,
  // One address may be a proxy's, or the way out of a whole building.
  connectionsPerAddressMax: 2_000,
  requestsPerMinute: 30_000,
  streamsMax: 100,
};

const MINUTE_SECONDS = 60;

/** Holds a token back that asks faster than any operator or program needs to. */
export function paceRequests(requestsPerMinute: number): MiddlewareHandler<ApiEnv> {
  const pace = new RateLimiterMemory({ points: requestsPerMinute, duration: MINUTE_SECONDS });
  return async (c, next) => {
    try {
      await pace.consume(c.get('principal').id);
    } catch (error) {
      const { msBeforeNext } = error as RateLimiterRes;
      const seconds = Math.max(1, Math.ceil(msBeforeNext / 1_000));
      c.header('Retry-After', String(seconds));
      throw new FerryError(
        'too-many-requests',
        `The token sends more than ${requestsPerMinute} requests a minute; try again in ${seconds} s.`,
      );
    }
    await next();
  };
}

/** What strangers do that is not written down one by one. */
export const strangersCounter = (registry: Registry): Counter<'code'> =>
  new Counter({
    name: 'ferry_http_strangers_refused_total',
    help: 'Refused requests without a valid token, by code; a few of them an hour are in the audit log too.',
    labelNames: ['code'] as const,
    registers: [registry],
  });
