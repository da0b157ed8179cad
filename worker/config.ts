import { join, resolve } from 'node:path';
import { z } from 'zod';
import { DEFAULT_FIRMWARE_LIMITS } from '../domain/policy.js';
import { StartupError } from './startup-error.js';

const port = (standard: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int()
    .min(0, 'must be 0 (any free port) to 65535')
    .max(65_535)
    .default(standard);
const positive = (standard: number) => z.coerce.number({ error: 'must be a number' }).int().min(1).default(standard);

const Environment = z.object({
  FERRY_DATA_DIR: z.string().min(1).default('./data'),
  FERRY_HOST: z.string().min(1).default('127.0.0.1'),
  FERRY_HTTP_PORT: port(8080),
  FERRY_MQTT_PORT: port(1883),
  FERRY_PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  FERRY_TEMPORAL_PORT: port(7233),
  FERRY_TEMPORAL_UI_PORT: port(8233),
  FERRY_TEMPORAL_UI_URL: z.url({ protocol: /^https?$/ }).optional(),
  FERRY_RETENTION_DAYS: positive(90),
  FERRY_WATCH_SECONDS: z.coerce.number({ error: 'must be a number' }).int().min(0).default(60),
  FERRY_DURABILITY: z.enum(['process', 'power'], { error: 'must be process or power' }).default('process'),
  FERRY_ADMIN_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
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
    },
    host: e.FERRY_HOST,
    httpPort: e.FERRY_HTTP_PORT,
    mqttPort: e.FERRY_MQTT_PORT,
    publicUrl: e.FERRY_PUBLIC_URL?.replace(/\/+$/, ''),
    temporal: {
      /** Set: an outside cluster. */
      address: e.TEMPORAL_ADDRESS,
      port: e.FERRY_TEMPORAL_PORT,
      uiPort: e.FERRY_TEMPORAL_UI_PORT,
      uiUrl: e.FERRY_TEMPORAL_UI_URL,
      retentionDays: e.FERRY_RETENTION_DAYS,
    },
    durability: e.FERRY_DURABILITY,
    /** How often open records are compared with their runs; 0: never. */
    watchMs: e.FERRY_WATCH_SECONDS * 1_000,
    adminToken: e.FERRY_ADMIN_TOKEN,
    logLevel: e.FERRY_LOG_LEVEL,
    firmwareLimits: {
      nameCharactersMax: e.FERRY_FIRMWARE_NAME_MAX,
      fileBytesMax: e.FERRY_FIRMWARE_BYTES_MAX,
      firmwareMax: e.FERRY_FIRMWARE_MAX,
    },
    downloadUrlTtlMs: e.FERRY_DOWNLOAD_URL_TTL_MINUTES * 60_000,
  } as const;
}

export type Config = ReturnType<typeof loadConfig>;
