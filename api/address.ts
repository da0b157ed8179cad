import type { Context } from 'hono';
import type { ApiEnv } from './deps.js';

/** Where a request comes from; a proxy in front hides it. Null without a socket. */
export function addressOf(c: Context<ApiEnv>): string | null {
  const bindings = c.env as ApiEnv['Bindings'] | undefined;
  return bindings?.incoming?.socket.remoteAddress ?? null;
}
