import { inject } from 'vitest';

/** The environment without what configures a Ferry of the person who runs the tests, or the tests themselves. */
const withoutFerry = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FERRY_')));

/** The environment of a service of the test's own: its data folder, free ports, the Temporal CLI that was found. */
export const serviceEnvironment = (folder: string, env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...withoutFerry,
  TEMPORAL_CLI: inject('temporalCli'),
  FERRY_DATA_DIR: folder,
  FERRY_HTTP_PORT: '0',
  FERRY_MQTT_PORT: '0',
  FERRY_MQTTS_PORT: '0',
  FERRY_TEMPORAL_PORT: '0',
  FERRY_TEMPORAL_UI_PORT: '0',
  ...env,
});
