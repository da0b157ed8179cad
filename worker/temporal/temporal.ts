import type { Config } from '../config.js';
import { StartupError } from '../startup-error.js';
import { findTemporalCli } from './cli-binary.js';
import { connectionSettings, connectTemporal, type TemporalConnections } from './connection.js';
import { logTail, startEmbeddedServer, type EmbeddedServer } from './embedded-server.js';
import { requireSearchAttributes, setRetention } from './namespace.js';

export interface Temporal {
  readonly connections: TemporalConnections;
  readonly address: string;
  readonly uiUrl: string | null;
  /** Resolves when the embedded server has ended without being asked to; never for an outside one. */
  readonly lost: Promise<Error>;
  stop(): Promise<void>;
}

interface TemporalStart {
  readonly env: NodeJS.ProcessEnv;
  readonly onSlow: (message: string) => void;
}

/** Temporal as configured: the embedded dev server, or the service at TEMPORAL_ADDRESS. @throws StartupError */
export function startTemporal(config: Config, start: TemporalStart): Promise<Temporal> {
  return config.temporal.address === undefined ? startEmbedded(config, start) : connectOutside(config, start);
}

async function startEmbedded(config: Config, { env, onSlow }: TemporalStart): Promise<Temporal> {
  const server = await startEmbeddedServer({
    cli: await findTemporalCli({ env, onSlow }),
    database: config.paths.temporalDatabase,
    log: config.paths.temporalLog,
    processNote: config.paths.temporalProcess,
    port: config.temporal.port,
    uiPort: config.temporal.uiPort,
    durability: config.durability,
  });
  try {
    const connections = await connectEmbedded(server, config, env);
    await setRetention(connections.client, connections.namespace, config.temporal.retentionDays);
    let stopping = false;
    return {
      connections,
      address: server.address,
      uiUrl: server.uiUrl,
      lost: new Promise((resolve) => {
        void server.exited.then(() => {
          if (!stopping) resolve(new Error('The embedded Temporal server has ended'));
        });
      }),
      stop: () => {
        stopping = true;
        return server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
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

async function connectOutside({ temporal }: Config, { env }: TemporalStart): Promise<Temporal> {
  const settings = connectionSettings(undefined, env);
  const connections = await connectTemporal(settings, new Promise(() => undefined));
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
    lost: new Promise(() => undefined),
    stop: () => Promise.resolve(),
  };
}
