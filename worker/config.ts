import { join, resolve } from 'node:path';
import { z } from 'zod';
import { DOWNLOADS_PER_MINUTE } from '../api/download-limit.js';
import { DEFAULT_HTTP_LIMITS } from '../api/http-limits.js';
import { DEFAULT_BROKER_LIMITS } from '../broker/limits.js';
import { DEFAULT_FIRMWARE_LIMITS } from '../domain/policy.js';
import { parseSecretKeys } from './secret-keys.js';
import { StartupError } from './startup-error.js';

const port = (standard: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int()
    .min(0, 'must be 0 (any free port) to 65535')
    .max(65_535)
    .default(standard);
const positive = (standard: number) => z.coerce.number({ error: 'must be a number' }).int().min(1).default(standard);

const onOff = z.enum(['on', 'off'], { error: 'must be on or off' });
const list = <T extends string>(words: readonly T[]) =>
  z.string().transform((text, context): T[] => {
    const named = text.split(',').map((word) => word.trim());
    if (named.every((word) => (words as readonly string[]).includes(word))) return named as T[];
    context.addIssue({ code: 'custom', message: `must be some of ${words.join(',')}` });
    return [];
  });

const Environment = z.object({
  FERRY_DATA_DIR: z.string().min(1).default('./data'),
  FERRY_HOST: z.string().min(1).default('127.0.0.1'),
  FERRY_HTTP_PORT: port(8080),
  FERRY_MQTT_PORT: port(1883),
  FERRY_MQTT_PLAIN: onOff.optional(),
  FERRY_MQTTS_PORT: port(8883),
  FERRY_TLS_CERT: z.string().min(1).optional(),
  FERRY_TLS_KEY: z.string().min(1).optional(),
  FERRY_TLS_CLIENT_CA: z.string().min(1).optional(),
  FERRY_TLS_CLIENT_AUTH: z.enum(['optional', 'required'], { error: 'must be optional or required' }).optional(),
  FERRY_INSECURE: z.enum(['0', '1'], { error: 'must be 1 or unset' }).optional(),
  FERRY_SIGN_METHODS: list(['md5', 'sha1', 'sha256']).optional(),
  FERRY_MQTT_CONNECTIONS_MAX: positive(DEFAULT_BROKER_LIMITS.connectionsMax),
  FERRY_MQTT_CONNECTIONS_PER_ADDRESS_MAX: positive(DEFAULT_BROKER_LIMITS.connectionsPerAddressMax),
  FERRY_MQTT_CONNECT_SECONDS: positive(DEFAULT_BROKER_LIMITS.connectTimeoutMs / 1_000),
  FERRY_MQTT_FIRST_PACKET_BYTES_MAX: positive(DEFAULT_BROKER_LIMITS.firstPacketBytesMax),
  FERRY_MQTT_PACKET_BYTES_MAX: positive(DEFAULT_BROKER_LIMITS.packetBytesMax),
  FERRY_MQTT_KEEP_ALIVE_SECONDS_MAX: positive(DEFAULT_BROKER_LIMITS.keepAliveSecondsMax),
  FERRY_MQTT_QUEUED_BYTES_MAX: positive(DEFAULT_BROKER_LIMITS.queuedBytesMax),
  FERRY_MQTT_IN_FLIGHT_MAX: positive(DEFAULT_BROKER_LIMITS.inFlightMax),
  FERRY_MQTT_MESSAGES_PER_SECOND: positive(DEFAULT_BROKER_LIMITS.messagesPerSecond),
  FERRY_HTTP_CONNECTIONS_MAX: positive(DEFAULT_HTTP_LIMITS.connectionsMax),
  FERRY_HTTP_CONNECTIONS_PER_ADDRESS_MAX: positive(DEFAULT_HTTP_LIMITS.connectionsPerAddressMax),
  FERRY_HTTP_REQUESTS_PER_MINUTE: positive(DEFAULT_HTTP_LIMITS.requestsPerMinute),
  FERRY_HTTP_STREAMS_MAX: positive(DEFAULT_HTTP_LIMITS.streamsMax),
  FERRY_METRICS: z.enum(['open', 'token'], { error: 'must be open or token' }).optional(),
  FERRY_DOWNLOADS_PER_MINUTE: positive(DOWNLOADS_PER_MINUTE),
  FERRY_APPROVAL_ABOVE: z.coerce.number({ error: 'must be a number of devices' }).int().min(0).optional(),
  FERRY_PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  FERRY_TEMPORAL_PORT: port(7233),
  FERRY_TEMPORAL_UI_PORT: port(8233),
  FERRY_TEMPORAL_UI_URL: z.url({ protocol: /^https?$/ }).optional(),
  FERRY_RETENTION_DAYS: positive(90),
  FERRY_RECORDS_DAYS: z.coerce
    .number({ error: 'must be a number of days' })
    .int()
    .min(1, 'must be at least 1; unset, records are kept for ever')
    .optional(),
  FERRY_RETENTION_AT: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a local time of day from 00:00 to 23:59')
    .default('03:00'),
  FERRY_WATCH_SECONDS: z.coerce.number({ error: 'must be a number' }).int().min(0).default(60),
  FERRY_DURABILITY: z.enum(['process', 'power'], { error: 'must be process or power' }).default('process'),
  FERRY_ADMIN_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  FERRY_SECRET_KEY: z.string().transform(parseSecretKeys).optional(),
  FERRY_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  FERRY_FIRMWARE_NAME_MAX: positive(DEFAULT_FIRMWARE_LIMITS.nameCharactersMax),
  FERRY_FIRMWARE_BYTES_MAX: positive(DEFAULT_FIRMWARE_LIMITS.fileBytesMax),
  FERRY_FIRMWARE_MAX: positive(DEFAULT_FIRMWARE_LIMITS.firmwareMax),
  FERRY_DOWNLOAD_URL_TTL_MINUTES: positive(24 * 60),
  TEMPORAL_ADDRESS: z.string().min(1).optional(),
  TEMPORAL_CLI: z.string().min(1).optional(),
  DATABASE_URL: z
    .undefined({ error: 'is not supported yet: unset it, records are kept in SQLite in FERRY_DATA_DIR' })
    .optional(),
  MQTT_URL: z.undefined({ error: 'is not supported yet: unset it, devices connect to the embedded broker' }).optional(),
});

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/;
const WILDCARD_HOSTS = ['0.0.0.0', '::', '[::]'];

/**
 * Reads the environment once and checks it.
 *
 * @throws StartupError naming every variable that is wrong, and its rule
 */
export function loadConfig(env: NodeJS.ProcessEnv) {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new StartupError(`The configuration is wrong:\n${problems.join('\n')}`);
  }
  const e = parsed.data;
  if (WILDCARD_HOSTS.includes(e.FERRY_HOST) && e.FERRY_PUBLIC_URL === undefined) {
    throw new StartupError(
      `The configuration is wrong:\n  FERRY_PUBLIC_URL: must be set when FERRY_HOST is ${e.FERRY_HOST}: devices download from it`,
    );
  }
  const hasTls = e.FERRY_TLS_CERT !== undefined || e.FERRY_TLS_KEY !== undefined;
  requireSafe(e, { hasTls });
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
    /** Devices may connect without TLS. Where strangers listen, only if that is asked for. */
    mqttPlain: e.FERRY_MQTT_PLAIN === undefined ? !hasTls || LOOPBACK.test(e.FERRY_HOST) : e.FERRY_MQTT_PLAIN === 'on',
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
        ? !LOOPBACK.test(e.FERRY_HOST) || e.FERRY_PUBLIC_URL !== undefined
        : e.FERRY_METRICS === 'token',
    downloadsPerMinute: e.FERRY_DOWNLOADS_PER_MINUTE,
    /** A batch of more devices needs a second operator; null: none does. */
    approvalAbove: e.FERRY_APPROVAL_ABOVE ?? null,
    publicUrl: e.FERRY_PUBLIC_URL?.replace(/\/+$/, ''),
    temporal: {
      /** Set: an outside cluster. */
      address: e.TEMPORAL_ADDRESS,
      port: e.FERRY_TEMPORAL_PORT,
      uiPort: e.FERRY_TEMPORAL_UI_PORT,
      uiUrl: e.FERRY_TEMPORAL_UI_URL,
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

/** @throws StartupError for what would be open to strangers, or lacks its other half */
function requireSafe(e: z.output<typeof Environment>, { hasTls }: { readonly hasTls: boolean }): void {
  const wrong = (variable: string, problem: string) =>
    new StartupError(`The configuration is wrong:\n  ${variable}: ${problem}`);
  if (hasTls && (e.FERRY_TLS_CERT === undefined || e.FERRY_TLS_KEY === undefined)) {
    throw wrong('FERRY_TLS_CERT, FERRY_TLS_KEY', 'must be set together');
  }
  if (!hasTls && (e.FERRY_TLS_CLIENT_CA !== undefined || e.FERRY_TLS_CLIENT_AUTH !== undefined)) {
    throw wrong('FERRY_TLS_CLIENT_CA', 'needs FERRY_TLS_CERT and FERRY_TLS_KEY');
  }
  if (e.FERRY_TLS_CLIENT_AUTH !== undefined && e.FERRY_TLS_CLIENT_CA === undefined) {
    throw wrong('FERRY_TLS_CLIENT_AUTH', 'needs FERRY_TLS_CLIENT_CA: whose certificates are good');
  }
  if (!hasTls && e.FERRY_MQTT_PLAIN === 'off') {
    throw wrong('FERRY_MQTT_PLAIN', 'is off, and there is no TLS: no device could connect');
  }
  if (!LOOPBACK.test(e.FERRY_HOST) && !hasTls && e.FERRY_INSECURE !== '1') {
    throw wrong(
      'FERRY_HOST',
      `is ${e.FERRY_HOST}, where others can listen in: tokens and firmware would go in clear. ` +
        'Set FERRY_TLS_CERT and FERRY_TLS_KEY; or, behind a proxy that speaks TLS or for a trial, FERRY_INSECURE=1',
    );
  }
}

export type Config = ReturnType<typeof loadConfig>;
