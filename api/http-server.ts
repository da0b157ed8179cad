import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { FerryError } from '../domain/errors.js';
import type { Api } from './api.js';
import type { ApiLog } from './deps.js';
import type { DownloadHandler } from './downloads.js';
import { internalProblem, problemOf } from './problem.js';

interface HttpServerDeps {
  readonly api: Pick<Api, 'app'>;
  readonly downloads: DownloadHandler;
  readonly log: ApiLog;
}

/** The one HTTP server: downloads first, the API for the rest. Not listening yet. */
export function createHttpServer({ api, downloads, log }: HttpServerDeps): Server {
  const listener = getRequestListener((request, env) => api.app.fetch(request, env), {
    // The app answers its own errors; what comes here never reached it, such as a request without a Host.
    errorHandler: (error) => {
      const isClients = error instanceof Error && error.name === 'RequestError';
      const refusal = isClients
        ? new FerryError('invalid-request', 'The request line or the Host header is malformed.')
        : internalProblem(error, 'before routing', log);
      const problem = problemOf(refusal);
      const headers = { 'Content-Type': 'application/problem+json' };
      return new Response(JSON.stringify(problem), { status: problem.status, headers });
    },
  });
  return createServer((request, response) => {
    if (!downloads(request, response)) void listener(request, response);
  });
}

/**
 * Stops taking requests and lets those under way finish, for `graceMs` at most. End the event streams before
 * (`closeStreams`), or they take the whole time.
 */
export function closeHttpServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
