import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { StartupError } from '../startup-error.js';

export interface TemporalConnections {
  readonly client: Client;
  readonly native: NativeConnection;
  readonly namespace: string;
  close(): Promise<void>;
}

/** How to reach the service: an embedded one by its address, an outside one by the SDK's usual variables. */
export function connectionSettings(embeddedAddress: string | undefined, env: NodeJS.ProcessEnv) {
  if (embeddedAddress !== undefined) return { options: { address: embeddedAddress }, namespace: 'default' };
  const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: stringsOf(env) });
  return { options: connectionOptions, namespace: namespace ?? 'default' };
}

const stringsOf = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));

const PATIENCE_MS = 60_000;
const RETRY_MS = 100;
/** Of the SDK, where nothing else is set. */
const DEFAULT_ADDRESS = 'localhost:7233';

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Connects once the service answers.
 *
 * @param onWait told once, when the first try has failed
 * @param gaveUp resolves when there is no point in waiting: the embedded server has ended
 * @throws StartupError when it does not answer in a minute
 */
export async function connectTemporal(
  { options, namespace }: { options: ConnectionOptions; namespace: string },
  gaveUp: Promise<void>,
  onWait: (address: string, reason: string) => void = () => undefined,
): Promise<TemporalConnections> {
  const stopped = { now: false };
  void gaveUp.then(() => (stopped.now = true));
  const deadline = performance.now() + PATIENCE_MS;
  let last: unknown;
  while (!stopped.now && performance.now() < deadline) {
    try {
      const connection = await Connection.connect({ ...options, connectTimeout: 5_000 });
      const native = await NativeConnection.connect(options as Parameters<typeof NativeConnection.connect>[0]);
      return {
        client: new Client({ connection, namespace }),
        native,
        namespace,
        close: async () => {
          await connection.close();
          await native.close();
        },
      };
    } catch (error) {
      if (last === undefined) onWait(options.address ?? DEFAULT_ADDRESS, reasonOf(error));
      last = error;
      await sleep(RETRY_MS);
    }
  }
  const address = options.address ?? DEFAULT_ADDRESS;
  throw new StartupError(`The Temporal service at ${address} does not answer: ${reasonOf(last)}`);
}
