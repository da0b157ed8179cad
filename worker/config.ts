import { join, resolve } from 'node:path';
import { isLoopback, serviceUrl } from './addresses.js';
import { DEFAULT_BROKER_LIMITS } from '../broker/limits.js';
import { readEnvironment, takesPlainMqtt, unrelatedTo, type Problem, type Values } from './environment.js';
import { machineProblems } from './machine-checks.js';
import { StartupError } from './startup-error.js';

/**
 * The configuration that the environment says.
 *
 * @throws StartupError naming every variable that is wrong, and its rule
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const { values, problems } = readEnvironment(env);
  refuse(problems);
  return configOf(values);
}

/**
 * The same for a start: what it needs of this machine is looked at too, before anything is written or begun.
 *
 * @throws StartupError naming all of it together
 */
export async function loadConfigToStart(env: NodeJS.ProcessEnv): Promise<Config> {
  const { values, problems } = readEnvironment(env);
  const config = configOf(values);
  refuse([...problems, ...unrelatedTo(problems, await machineProblems(values, config.paths))]);
  return config;
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = problems.map(({ variables, message }) => `  ${variables.join(', ')}: ${message}`);
  throw new StartupError(`The configuration is wrong:\n${lines.join('\n')}`);
}

function configOf(e: Values) {
  const dataDir = resolve(e.FERRY_DATA_DIR);
  return {
    dataDir,
    paths: {
      database: join(dataDir, 'ferry.db'),
      files: join(dataDir, 'files'),
      temporalDatabase: join(dataDir, 'temporal.db'),
      temporalLog: join(dataDir, 'temporal.log'),
      temporalProcess: join(dataDir, 'temporal.json'),
      adminToken: join(dataDir, 'admin-token'),
      secretKeys: join(dataDir, 'secret-keys'),
    },
    host: e.FERRY_HOST,
    httpPort: e.FERRY_HTTP_PORT,
    mqttPort: e.FERRY_MQTT_PORT,
    /** Devices may connect without TLS. */
    mqttPlain: takesPlainMqtt(e),
    mqttsPort: e.FERRY_MQTTS_PORT,
    tls:
      e.FERRY_TLS_CERT === undefined || e.FERRY_TLS_KEY === undefined
        ? null
        : { cert: resolve(e.FERRY_TLS_CERT), key: resolve(e.FERRY_TLS_KEY), clientCa: e.FERRY_TLS_CLIENT_CA },
    clientCertificates: e.FERRY_TLS_CLIENT_AUTH ?? (e.FERRY_TLS_CLIENT_CA === undefined ? 'none' : 'optional'),
    brokerLimits: {
      connectionsMax: e.FERRY_MQTT_CONNECTIONS_MAX,
      connectionsPerAddressMax: e.FERRY_MQTT_CONNECTIONS_PER_ADDRESS_MAX,
      connectTimeoutMs: e.FERRY_MQTT_CONNECT_SECONDS * 1_000,
      firstPacketBytesMax: e.FERRY_MQTT_FIRST_PACKET_BYTES_MAX,
      packetBytesMax: e.FERRY_MQTT_PACKET_BYTES_MAX,
      keepAliveSecondsMax: e.FERRY_MQTT_KEEP_ALIVE_SECONDS_MAX,
      queuedBytesMax: e.FERRY_MQTT_QUEUED_BYTES_MAX,
      inFlightMax: e.FERRY_MQTT_IN_FLIGHT_MAX,
      messagesPerSecond: e.FERRY_MQTT_MESSAGES_PER_SECOND,
      signMethods: e.FERRY_SIGN_METHODS ?? DEFAULT_BROKER_LIMITS.signMethods,
    },
    httpLimits: {
      connectionsMax: e.FERRY_HTTP_CONNECTIONS_MAX,
      connectionsPerAddressMax: e.FERRY_HTTP_CONNECTIONS_PER_ADDRESS_MAX,
      requestsPerMinute: e.FERRY_HTTP_REQUESTS_PER_MINUTE,
      streamsMax: e.FERRY_HTTP_STREAMS_MAX,
    },
    /** Open to this machine; where others may reach it, for those who have a token. */
    metricsNeedToken:
      e.FERRY_METRICS === undefined
        ? !isLoopback(e.FERRY_HOST) || e.FERRY_PUBLIC_URL !== undefined
        : e.FERRY_METRICS === 'token',
    downloadsPerMinute: e.FERRY_DOWNLOADS_PER_MINUTE,
    /** A batch of more devices needs a second operator; null: none does. */
    approvalAbove: e.FERRY_APPROVAL_ABOVE ?? null,
    /** Without a slash at its end; its path is where a proxy has put the service. */
    publicUrl: e.FERRY_PUBLIC_URL === undefined ? undefined : serviceUrl(e.FERRY_PUBLIC_URL),
    temporal: {
      /** Set: an outside cluster. */
      address: e.TEMPORAL_ADDRESS,
      port: e.FERRY_TEMPORAL_PORT,
      uiPort: e.FERRY_TEMPORAL_UI_PORT,
      uiUrl: e.FERRY_TEMPORAL_UI_URL === undefined ? undefined : serviceUrl(e.FERRY_TEMPORAL_UI_URL),
      retentionDays: e.FERRY_RETENTION_DAYS,
    },
    retention: {
      /** Records of tasks that ended longer ago are deleted every night; null: never. */
      recordsDays: e.FERRY_RECORDS_DAYS ?? null,
      at: timeOfDay(e.FERRY_RETENTION_AT),
    },
    durability: e.FERRY_DURABILITY,
    /** How often open records are compared with their runs; 0: never. */
    watchMs: e.FERRY_WATCH_SECONDS * 1_000,
    adminToken: e.FERRY_ADMIN_TOKEN,
    /** Set: they are not kept in the data folder. The newest first. */
    secretKeys: e.FERRY_SECRET_KEY,
    logLevel: e.FERRY_LOG_LEVEL,
    firmwareLimits: {
      nameCharactersMax: e.FERRY_FIRMWARE_NAME_MAX,
      fileBytesMax: e.FERRY_FIRMWARE_BYTES_MAX,
      firmwareMax: e.FERRY_FIRMWARE_MAX,
    },
    downloadUrlTtlMs: e.FERRY_DOWNLOAD_URL_TTL_MINUTES * 60_000,
  } as const;
}

function timeOfDay(text: string) {
  const [hour = 0, minute = 0] = text.split(':').map(Number);
  return { hour, minute };
}

export type Config = ReturnType<typeof configOf>;
