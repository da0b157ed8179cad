import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { Histogram, type Registry } from 'prom-client';
import type { ApiEnv } from './deps.js';

/** Counts one answered request. */
export type MeasureRequest = (request: {
  readonly method: string;
  /** The pattern, never the path: labels must not grow with the fleet. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}) => void;

/** The histogram of HTTP requests, in the registry that /metrics shows. */
export function createRequestMeasure(registry: Registry): MeasureRequest {
  const seconds = new Histogram({
    name: 'ferry_http_request_duration_seconds',
    help: 'Time from a request to the head of its answer, by route and status.',
    labelNames: ['method', 'route', 'status'] as const,
    // Few: every route, method and status has a line for each.
    buckets: [0.01, 0.05, 0.25, 1, 5],
    registers: [registry],
  });
  return ({ method, route, status, durationMs }) => {
    seconds.observe({ method, route, status: String(status) }, durationMs / 1_000);
  };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

export function measureRequests(measure: MeasureRequest): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedMs = performance.now();
    await next();
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? 'unknown';
    const method = METHODS.has(c.req.method) ? c.req.method : 'other';
    measure({ method, route, status: c.res.status, durationMs: performance.now() - startedMs });
  };
}
