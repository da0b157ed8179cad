import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { StartupError } from '../startup-error.js';
import { findTemporalCli } from './cli-binary.js';
import { connectionSettings, connectTemporal, type TemporalConnections } from './connection.js';
import { logTail, startEmbeddedServer, type EmbeddedServer } from './embedded-server.js';
import { isRunning } from './own-process.js';
import { requireSearchAttributes, setRetention } from './namespace.js';
import { superviseServer } from './supervision.js';

export interface Temporal {
  readonly connections: TemporalConnections;
  readonly address: string;
  readonly uiUrl: string | null;
  stop(): Promise<void>;
}

interface TemporalStart {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Pick<Logger, 'warn'>;
  readonly onSlow: (message: string) => void;
}

const START_TRIES_MAX = 3;

/** Temporal as configured: the embedded dev server, or the service at TEMPORAL_ADDRESS. @throws StartupError */
export function startTemporal(config: Config, start: TemporalStart): Promise<Temporal> {
  return config.temporal.address === undefined ? startEmbedded(config, start) : connectOutside(config, start);
}

async function startEmbedded(config: Config, { env, log, onSlow }: TemporalStart): Promise<Temporal> {
  const options = {
    cli: await findTemporalCli({ env, onSlow }),
    database: config.paths.temporalDatabase,
    log: config.paths.temporalLog,
    processNote: config.paths.temporalProcess,
    port: config.temporal.port,
    uiPort: config.temporal.uiPort,
    durability: config.durability,
  };
  for (let tries = 1; ; tries++) {
    const server = await startEmbeddedServer(options);
    try {
      const connections = await connectEmbedded(server, config, env);
      await setRetention(connections.client, connections.namespace, config.temporal.retentionDays);
      const { address, uiUrl } = server;
      return { connections, address, uiUrl, ...superviseServer(server, options, log) };
    } catch (error) {
      const hasEndedByItself = !isRunning(server.pid);
      await server.stop();
      // A free port may be taken before the server has it, and a loaded machine may cost it its own start.
      if (!hasEndedByItself || tries >= START_TRIES_MAX) throw error;
      log.warn({ error: String(error) }, 'the embedded Temporal server did not start; trying again');
    }
  }
}

async function connectEmbedded(
  server: EmbeddedServer,
  { paths }: Config,
  env: NodeJS.ProcessEnv,
): Promise<TemporalConnections> {
  try {
    return await connectTemporal(connectionSettings(server.address, env), server.exited);
  } catch (error) {
    const tail = await logTail(paths.temporalLog);
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(tail === '' ? reason : `${reason}\nIts last words:\n${tail}`);
  }
}

async function connectOutside({ temporal }: Config, { env, onSlow }: TemporalStart): Promise<Temporal> {
  const settings = connectionSettings(undefined, env);
  const connections = await connectTemporal(settings, new Promise(() => undefined), (address, reason) =>
    onSlow(`Waiting for the Temporal service at ${address} (TEMPORAL_ADDRESS), for a minute at most: ${reason} …`),
  );
  try {
    await requireSearchAttributes(connections.client, connections.namespace);
  } catch (error) {
    await connections.close();
    throw error;
  }
  return {
    connections,
    address: temporal.address ?? '',
    uiUrl: temporal.uiUrl ?? null,
    stop: () => Promise.resolve(),
  };
}
