import { Server, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
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

const SWEEP_MS = 20;

/** Knows its connections that have asked for nothing yet: Node counts them as busy, and browsers open them in advance. */
export class HttpServer extends Server {
  private readonly silent = new Set<Socket>();

  constructor(listener: RequestListener) {
    super(listener);
    this.on('connection', (socket) => {
      this.silent.add(socket);
      socket.once('close', () => this.silent.delete(socket));
    });
    this.on('request', ({ socket }) => this.silent.delete(socket));
  }

  /** Closes every connection on which nothing is being answered. */
  closeUnused(): void {
    this.closeIdleConnections();
    for (const socket of this.silent) socket.destroy();
  }
}

/** The one HTTP server: downloads first, the API for the rest. Not listening yet. */
export function createHttpServer({ api, downloads, log }: HttpServerDeps): HttpServer {
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
  return new HttpServer((request, response) => {
    if (!downloads(request, response)) void listener(request, response);
  });
}

/**
 * Stops taking requests and lets those under way finish, for `graceMs` at most. End the event streams before
 * (`closeStreams`), or they take the whole time.
 */
export function closeHttpServer(server: HttpServer, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    // A connection whose last answer ends only now would be kept alive, and waited for.
    const sweep = setInterval(() => server.closeUnused(), SWEEP_MS);
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(timer);
      resolve();
    });
  });
}
