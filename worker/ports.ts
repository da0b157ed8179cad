import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { StartupError } from './startup-error.js';

/**
 * A port of the loopback that nobody listens on: the one asked for, or any if 0.
 *
 * @throws StartupError naming the variable to change
 */
export async function requireFreePort(port: number, variable: string): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return (probe.address() as AddressInfo).port;
  } catch (error) {
    throw portTaken(port, variable, error);
  } finally {
    probe.close();
  }
}

/** The message for a port that can't be listened on. */
export function portTaken(port: number, variable: string, error: unknown): StartupError {
  const code = (error as { code?: string }).code;
  const reason =
    code === 'EADDRINUSE' ? 'is in use by another process' : `can't be listened on (${code ?? String(error)})`;
  return new StartupError(`Port ${port} ${reason}. Free it, or set ${variable} to another one.`);
}
