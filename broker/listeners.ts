import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket, type PeerCertificate, type SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import { networkOf } from '../domain/network.js';

/** A port on which devices connect. */
export interface Listener {
  readonly port: number;
  readonly isListening: boolean;
  /** @throws Error naming port, variable and remedy, if the port can't be listened on */
  listen(): Promise<void>;
  /** Takes no connections any more; resolves when the last one has ended. */
  close(): Promise<void>;
}

/** Certificate and key, which may be exchanged while the service runs. */
export interface TlsContext {
  /** Certificate, key and the authority of clients' certificates. */
  readonly options: SecureContextOptions;
  /** @param exchanged called with the new ones, from then on good for new connections; answers how to stop */
  onExchange(exchanged: (options: SecureContextOptions) => void): () => void;
}

interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly log: Pick<Logger, 'warn'>;
  /** A connection begins, with nothing said or agreed on yet. @returns false when there is no room: it is closed */
  readonly enters: (socket: Socket) => boolean;
  /** A connection that entered has ended. */
  readonly left: (socket: Socket) => void;
  /** It can be read from. */
  readonly accept: (socket: Socket) => void;
  /** A connection that was accepted has ended. */
  readonly ended: (socket: Socket) => void;
}

/** One listener for all sockets, which are many: a third one on the same event would take more than all else of it. */
const onClose = (listener: (socket: Socket) => void) =>
  function (this: Socket) {
    listener(this);
  };

export function plainListener(options: ListenerOptions): Listener {
  const { enters, left, accept, ended } = options;
  const closed = onClose((socket) => {
    left(socket);
    ended(socket);
  });
  const server = createServer((socket) => {
    if (!enters(socket)) return;
    accept(socket);
    socket.on('close', closed);
  });
  return listenerOf(server, options, 'FERRY_MQTT_PORT');
}

/** A handshake takes milliseconds; who does not go on with it is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

interface SecureOptions extends ListenerOptions {
  readonly context: TlsContext;
  readonly clientCertificates: 'none' | 'optional' | 'required';
}

/** TLS 1.2 and newer. */
export function secureListener(options: SecureOptions): Listener {
  const { context, clientCertificates, enters, left, accept, ended } = options;
  const [rawClosed, closed] = [onClose(left), onClose(ended)];
  const server = createTlsServer({
    ...context.options,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: clientCertificates !== 'none',
    rejectUnauthorized: clientCertificates === 'required',
  });
  // Before a handshake costs anything.
  server.prependListener('connection', (socket: Socket) => {
    if (enters(socket)) socket.on('close', rawClosed);
  });
  server.on('secureConnection', (socket) => {
    // An optional certificate that is shown must be good.
    if (certificateOf(socket) && !socket.authorized) {
      socket.destroy();
      return;
    }
    accept(socket);
    socket.on('close', closed);
  });
  // Broken handshakes are everyday business on an open port.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const stop = context.onExchange((exchanged) => server.setSecureContext({ ...exchanged, minVersion: 'TLSv1.2' }));
  server.once('close', stop);
  return listenerOf(server, options, 'FERRY_MQTTS_PORT');
}

/** Whoever is gone has none: Node answers null then, whatever its type says. */
const certificateOf = (socket: TLSSocket): PeerCertificate | undefined => {
  const certificate = socket.getPeerCertificate() as PeerCertificate | null;
  return certificate && Object.keys(certificate).length > 0 ? certificate : undefined;
};

/** Whom its limits count. */
export const addressOf = ({ remoteAddress = 'unknown address' }: Socket): string => networkOf(remoteAddress);

/** The common name of the certificate that a client has shown; undefined where it has shown none. */
export function certifiedName(socket: Socket): string | undefined {
  const certificate = socket instanceof TLSSocket ? certificateOf(socket) : undefined;
  if (!certificate) return undefined;
  // Of several, the first one; a name that is none equals no device's.
  const { CN } = certificate.subject as { CN?: string | string[] };
  return String(Array.isArray(CN) ? CN[0] : CN);
}

/**
 * Connections that may wait to be accepted; the system's own limit (`net.core.somaxconn`) may be lower. With Node's 511
 * thousands of a fleet that is back at once are turned away, and try again after seconds that double.
 */
const BACKLOG = 65_535;

function listenerOf(server: Server, { host, port, log }: ListenerOptions, variable: string): Listener {
  return {
    get port() {
      return (server.address() as AddressInfo).port;
    },
    get isListening() {
      return server.listening;
    },
    async listen() {
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, { host, port, variable })));
        server.listen({ host, port, backlog: BACKLOG }, resolve);
      });
      server.removeAllListeners('error');
      server.on('error', (error) => log.warn({ error: error.message }, 'MQTT server error'));
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly variable: string;
}

function portError(error: NodeJS.ErrnoException, { host, port, variable }: Place): Error {
  const problem =
    error.code === 'EADDRINUSE'
      ? `port ${port} on ${host} is in use`
      : `can't listen on ${host}:${port} (${error.code})`;
  return new Error(`The MQTT broker can't start: ${problem}. Set ${variable} to a free port, or to 0 for any.`);
}
