import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import { Crowd, type CrowdLimit } from '../domain/crowd.js';
import { FerryError } from '../domain/errors.js';
import { networkOf } from '../domain/network.js';
import { belowBase } from './base-path.js';
import type { Api } from './api.js';
import type { ApiLog } from './deps.js';
import type { DownloadHandler } from './downloads.js';
import { DEFAULT_HTTP_LIMITS } from './http-limits.js';
import { internalProblem, problemOf } from './problem.js';

interface HttpServerDeps {
  readonly api: Pick<Api, 'app' | 'basePath'>;
  readonly downloads: DownloadHandler;
  readonly log: ApiLog;
  readonly limits?: CrowdLimit;
  /** Certificate and key: it speaks HTTPS only. */
  readonly tls?: HttpTls | undefined;
}

/** A request's head comes in this time, or its connection is closed. */
const HEAD_MS = 20_000;
/** A whole request, with a firmware over a slow line. */
const REQUEST_MS = 15 * 60_000;
/** Nothing has come or gone for so long: the other end is not there any more. Event streams have heartbeats. */
const SILENCE_MS = 10 * 60_000;
const TIMEOUTS = { headersTimeout: HEAD_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 5_000 } as const;

/** Closes a connection too many at once, before it costs anything. */
function bounded<S extends Server>(server: S, limits: CrowdLimit): S {
  const crowd = new Crowd(limits);
  server.setTimeout(SILENCE_MS);
  server.prependListener('connection', (socket: Socket) => {
    const address = networkOf(socket.remoteAddress ?? 'unknown address');
    if (!crowd.enters(address)) return socket.destroy();
    socket.once('close', () => crowd.left(address));
  });
  return server;
}

interface HttpTls {
  readonly options: SecureContextOptions;
  /** Calls with new ones, good for new connections; answers how to stop. */
  onExchange(exchanged: (options: SecureContextOptions) => void): () => void;
}

const SWEEP_MS = 20;

/** Knows its connections that have asked for nothing yet: Node counts them as busy, and browsers open them in advance. */
export interface HttpServer extends Server {
  /** Closes every connection on which nothing is being answered. */
  closeUnused(): void;
}

/** @param connected the event by which a connection is ready for requests */
function knowingSilent(server: Server, connected: 'connection' | 'secureConnection'): HttpServer {
  const silent = new Set<Socket>();
  server.on(connected, (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage) => silent.delete(socket));
  return Object.assign(server, {
    closeUnused() {
      server.closeIdleConnections();
      for (const socket of silent) socket.destroy();
    },
  });
}

/**
 * The request target without scheme and host: a client behind a forward proxy, and some devices, send the whole URL
 * [RFC 9112 3.2.2]. One slash too many, as where two parts of a URL were joined, is none.
 */
function originForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '');
  if (path === target && !target.startsWith('//')) return target;
  return path.replace(/^\/*/, '/');
}

/** The one HTTP server: downloads first, the API for the rest. Not listening yet. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const { api, downloads, log, tls, limits = DEFAULT_HTTP_LIMITS } = deps;
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
  const answer: RequestListener = (request, response) => {
    request.url = belowBase(originForm(request.url ?? '/'), api.basePath);
    if (!downloads(request, response)) void listener(request, response);
  };
  if (!tls) return knowingSilent(bounded(createServer(TIMEOUTS, answer), limits), 'connection');
  const minVersion = 'TLSv1.2';
  const secure = bounded(createSecureServer({ ...TIMEOUTS, ...tls.options, minVersion }, answer), limits);
  secure.once(
    'close',
    tls.onExchange((options) => secure.setSecureContext({ ...options, minVersion })),
  );
  return knowingSilent(secure, 'secureConnection');
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
