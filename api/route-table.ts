import type { Hono } from 'hono';
import type { ApiEnv } from './deps.js';

/** A path of OpenAPI as the router writes it: `/v1/tasks/{id}` is `/v1/tasks/:id`. */
export const patternOf = (path: string): string => path.replaceAll(/\{(.+?)\}/g, ':$1');

/** The methods that a path of ours takes; none if it is no path of ours. */
export function methodsOf(app: Pick<Hono<ApiEnv>, 'routes'>, path: string): readonly string[] {
  const methods = new Set<string>();
  for (const route of app.routes) {
    if (route.method === 'ALL' || !matches(route.path, path)) continue;
    methods.add(route.method);
    if (route.method === 'GET') methods.add('HEAD');
  }
  return Array.from(methods).sort();
}

function matches(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => (part.startsWith(':') ? given[i] !== '' : part === given[i]))
  );
}
