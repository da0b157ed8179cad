import { once } from 'node:events';
import { createServer } from 'node:net';

/** The service's usual ports by variable; a demo takes any free one instead of one that is taken. */
const PORTS = {
  FERRY_HTTP_PORT: 8080,
  FERRY_MQTT_PORT: 1883,
  FERRY_TEMPORAL_PORT: 7233,
  FERRY_TEMPORAL_UI_PORT: 8233,
} as const;

/** The environment of the demo's service: quiet, in a folder of its own, on ports that are free. */
export async function demoEnvironment(env: NodeJS.ProcessEnv, dataDir: string): Promise<NodeJS.ProcessEnv> {
  const ports = await Promise.all(
    Object.entries(PORTS).map(async ([name, port]) => [name, env[name] ?? ((await isFree(port)) ? `${port}` : '0')]),
  );
  return {
    ...env,
    FERRY_LOG_LEVEL: env['FERRY_LOG_LEVEL'] ?? 'error',
    FERRY_DATA_DIR: dataDir,
    ...(Object.fromEntries(ports) as Record<string, string>),
  };
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
