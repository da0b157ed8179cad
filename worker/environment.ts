import { z } from 'zod';
import { DOWNLOADS_PER_MINUTE } from '../api/download-limit.js';
import { DEFAULT_HTTP_LIMITS } from '../api/http-limits.js';
import { wholeNumber, type NumberBounds } from '../api/whole-number.js';
import { DEFAULT_BROKER_LIMITS } from '../broker/limits.js';
import { DEFAULT_FIRMWARE_LIMITS } from '../domain/policy.js';
import { adminTokenProblem } from './admin-token.js';
import {
  hostProblem,
  isLoopback,
  isWildcard,
  publicUrlProblem,
  serviceUrlProblem,
  temporalAddressProblem,
} from './addresses.js';
import { parseSecretKeys } from './secret-keys.js';
import { unknownVariables } from './unknown-variables.js';

/*
 * The environment variables, each with its rule. What concerns two of them is checked behind the rules of each; what can
 * only be seen on the machine, such as a port that is taken, is in machine-checks.ts.
 */

const number = (bounds: NumberBounds, standard: number) =>
  wholeNumber(bounds)
    .optional()
    .transform((value) => value ?? standard);
/** 0 is any free port. */
const port = (standard: number) => number({ min: 0, max: 65_535 }, standard);

/** A text under a rule that answers what is wrong as a sentence. */
const ruled = (problem: (text: string) => string | undefined) =>
  z.string().superRefine((text, context) => {
    const message = problem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, { error: `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}` });
const someOf = <T extends string>(words: readonly T[]) =>
  z.string().transform((text, context): T[] => {
    const named = text.split(',').map((word) => word.trim());
    if (named.every((word) => (words as readonly string[]).includes(word))) return named as T[];
    context.addIssue({ code: 'custom', message: `must be some of ${words.join(',')}` });
    return [];
  });

const MAX_BYTES_OF_PACKET = 16 * 1024 * 1024;
/** What the size in a notification can say to a device in C. */
const MAX_BYTES_OF_FILE = 4 * 1024 ** 3 - 1;
const MAX_DAYS = 36_500;

const Environment = z.object({
  FERRY_DATA_DIR: z.string().default('./data'),
  /** Read where a Temporal CLI is looked for. */
  FERRY_CACHE_DIR: z.string().optional(),
  FERRY_HOST: ruled(hostProblem)
    .transform((text) => text.replace(/^\[(.*)\]$/, '$1'))
    .default('127.0.0.1'),
  FERRY_HTTP_PORT: port(8080),
  FERRY_MQTT_PORT: port(1883),
  FERRY_MQTT_PLAIN: oneOf(['on', 'off']).optional(),
  FERRY_MQTTS_PORT: port(8883),
  FERRY_TLS_CERT: z.string().optional(),
  FERRY_TLS_KEY: z.string().optional(),
  FERRY_TLS_CLIENT_CA: z.string().optional(),
  FERRY_TLS_CLIENT_AUTH: oneOf(['optional', 'required']).optional(),
  FERRY_INSECURE: z.enum(['0', '1'], { error: 'must be 1 or unset' }).optional(),
  FERRY_SIGN_METHODS: someOf(['md5', 'sha1', 'sha256']).optional(),
  FERRY_MQTT_CONNECTIONS_MAX: number({ min: 1, max: 1_000_000 }, DEFAULT_BROKER_LIMITS.connectionsMax),
  FERRY_MQTT_CONNECTIONS_PER_ADDRESS_MAX: number(
    { min: 1, max: 1_000_000 },
    DEFAULT_BROKER_LIMITS.connectionsPerAddressMax,
  ),
  FERRY_MQTT_CONNECT_SECONDS: number({ min: 1, max: 3_600 }, DEFAULT_BROKER_LIMITS.connectTimeoutMs / 1_000),
  FERRY_MQTT_FIRST_PACKET_BYTES_MAX: number(
    { min: 128, max: MAX_BYTES_OF_PACKET },
    DEFAULT_BROKER_LIMITS.firstPacketBytesMax,
  ),
  FERRY_MQTT_PACKET_BYTES_MAX: number({ min: 128, max: MAX_BYTES_OF_PACKET }, DEFAULT_BROKER_LIMITS.packetBytesMax),
  FERRY_MQTT_KEEP_ALIVE_SECONDS_MAX: number({ min: 1, max: 65_535 }, DEFAULT_BROKER_LIMITS.keepAliveSecondsMax),
  FERRY_MQTT_QUEUED_BYTES_MAX: number({ min: 1_024, max: 1024 ** 3 }, DEFAULT_BROKER_LIMITS.queuedBytesMax),
  FERRY_MQTT_IN_FLIGHT_MAX: number({ min: 1, max: 65_535 }, DEFAULT_BROKER_LIMITS.inFlightMax),
  FERRY_MQTT_MESSAGES_PER_SECOND: number({ min: 1, max: 1_000_000 }, DEFAULT_BROKER_LIMITS.messagesPerSecond),
  FERRY_HTTP_CONNECTIONS_MAX: number({ min: 1, max: 1_000_000 }, DEFAULT_HTTP_LIMITS.connectionsMax),
  FERRY_HTTP_CONNECTIONS_PER_ADDRESS_MAX: number(
    { min: 1, max: 1_000_000 },
    DEFAULT_HTTP_LIMITS.connectionsPerAddressMax,
  ),
  FERRY_HTTP_REQUESTS_PER_MINUTE: number({ min: 1, max: 10_000_000 }, DEFAULT_HTTP_LIMITS.requestsPerMinute),
  FERRY_HTTP_STREAMS_MAX: number({ min: 1, max: 1_000_000 }, DEFAULT_HTTP_LIMITS.streamsMax),
  /** Unset, by the address. */
  FERRY_METRICS: oneOf(['open', 'token']).optional(),
  FERRY_DOWNLOADS_PER_MINUTE: number({ min: 1, max: 1_000_000 }, DOWNLOADS_PER_MINUTE),
  FERRY_APPROVAL_ABOVE: wholeNumber({ min: 0, max: 10_000_000 }).optional(),
  FERRY_PUBLIC_URL: ruled(publicUrlProblem).optional(),
  FERRY_TEMPORAL_PORT: port(7233),
  FERRY_TEMPORAL_UI_PORT: port(8233),
  FERRY_TEMPORAL_UI_URL: ruled(serviceUrlProblem).optional(),
  FERRY_RETENTION_DAYS: number({ min: 1, max: MAX_DAYS }, 90),
  /** Unset, records are kept for ever. */
  FERRY_RECORDS_DAYS: wholeNumber({ min: 1, max: MAX_DAYS }).optional(),
  FERRY_RETENTION_AT: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a local time of day from 00:00 to 23:59')
    .default('03:00'),
  FERRY_WATCH_SECONDS: number({ min: 0, max: 86_400 }, 60),
  FERRY_DURABILITY: oneOf(['process', 'power']).default('process'),
  FERRY_ADMIN_TOKEN: ruled(adminTokenProblem).optional(),
  FERRY_SECRET_KEY: z.string().transform(parseSecretKeys).optional(),
  FERRY_LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  FERRY_FIRMWARE_NAME_MAX: number({ min: 1, max: 200 }, DEFAULT_FIRMWARE_LIMITS.nameCharactersMax),
  FERRY_FIRMWARE_BYTES_MAX: number({ min: 1, max: MAX_BYTES_OF_FILE }, DEFAULT_FIRMWARE_LIMITS.fileBytesMax),
  FERRY_FIRMWARE_MAX: number({ min: 1, max: 1_000_000 }, DEFAULT_FIRMWARE_LIMITS.firmwareMax),
  FERRY_DOWNLOAD_URL_TTL_MINUTES: number({ min: 1, max: 366 * 24 * 60 }, 24 * 60),
  TEMPORAL_ADDRESS: ruled(temporalAddressProblem).optional(),
  TEMPORAL_CLI: z.string().optional(),
  DATABASE_URL: z
    .undefined({ error: 'is not supported yet: unset it, records are kept in SQLite in FERRY_DATA_DIR' })
    .optional(),
  MQTT_URL: z.undefined({ error: 'is not supported yet: unset it, devices connect to the embedded broker' }).optional(),
});

/** Of the service, by name. */
export const VARIABLES: readonly string[] = Object.keys(Environment.shape);
export type Values = z.output<typeof Environment>;
export type Variable = keyof Values;
/** What is wrong with one variable, or with several together. */
export interface Problem {
  readonly variables: readonly string[];
  readonly message: string;
}

export interface ReadEnvironment {
  /** Those that are wrong have their default. */
  readonly values: Values;
  readonly problems: readonly Problem[];
}

/** The environment with values that are trimmed, and without blank ones, which count as not set. */
export const trimmed = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env)
      .map(([name, value = '']) => [name, value.trim()] as const)
      .filter(([, value]) => value !== ''),
  );

/** Reads and checks all variables. */
export function readEnvironment(env: NodeJS.ProcessEnv): ReadEnvironment {
  const set = trimmed(env);
  const problems: Problem[] = unknownVariables(set, VARIABLES);
  const usable: Record<string, string> = {};
  for (const [name, rule] of Object.entries(Environment.shape)) {
    const { error } = rule.safeParse(set[name]);
    if (error) problems.push({ variables: [name], message: error.issues[0]?.message ?? 'is wrong' });
    else if (set[name] !== undefined) usable[name] = set[name];
  }
  const values = Environment.parse(usable);
  const together = [...tlsProblems(values), ...openProblems(values), ...portProblems(values)];
  return { values, problems: [...problems, ...unrelatedTo(problems, together)] };
}

/** A default stands in for a variable that is wrong: what is found with it says nothing. */
export function unrelatedTo(known: readonly Problem[], found: readonly Problem[]): Problem[] {
  const wrong = new Set(known.flatMap(({ variables }) => variables));
  return found.filter(({ variables }) => !variables.some((name) => wrong.has(name)));
}

export const hasTls = ({ FERRY_TLS_CERT, FERRY_TLS_KEY }: Values): boolean =>
  FERRY_TLS_CERT !== undefined && FERRY_TLS_KEY !== undefined;

/** Devices may connect without TLS. Where others can listen in, only if that is asked for. */
export const takesPlainMqtt = (values: Values): boolean =>
  values.FERRY_MQTT_PLAIN === undefined
    ? !hasTls(values) || isLoopback(values.FERRY_HOST)
    : values.FERRY_MQTT_PLAIN === 'on';

function tlsProblems(values: Values): Problem[] {
  const { FERRY_TLS_CERT: cert, FERRY_TLS_KEY: key, FERRY_TLS_CLIENT_CA: ca, FERRY_TLS_CLIENT_AUTH: auth } = values;
  const problems: Problem[] = [];
  if ((cert === undefined) !== (key === undefined)) {
    problems.push({ variables: ['FERRY_TLS_CERT', 'FERRY_TLS_KEY'], message: 'must be set together' });
  }
  if (cert === undefined && key === undefined && (ca !== undefined || auth !== undefined)) {
    problems.push({ variables: ['FERRY_TLS_CLIENT_CA'], message: 'needs FERRY_TLS_CERT and FERRY_TLS_KEY' });
  }
  if (auth !== undefined && ca === undefined) {
    const message = 'needs FERRY_TLS_CLIENT_CA: the authority whose certificates are good';
    problems.push({ variables: ['FERRY_TLS_CLIENT_AUTH'], message });
  }
  if (cert === undefined && key === undefined && values.FERRY_MQTT_PLAIN === 'off') {
    problems.push({ variables: ['FERRY_MQTT_PLAIN'], message: 'is off, and there is no TLS: no device could connect' });
  }
  return problems;
}

/** What would be open to strangers, or out of the devices' reach. */
function openProblems(values: Values): Problem[] {
  const { FERRY_HOST: host, FERRY_PUBLIC_URL: publicUrl, FERRY_INSECURE: insecure } = values;
  const problems: Problem[] = [];
  if (isWildcard(host) && publicUrl === undefined) {
    const message = `must be set when FERRY_HOST is ${host}: devices download from it`;
    problems.push({ variables: ['FERRY_PUBLIC_URL'], message });
  }
  const hasAnyTls = values.FERRY_TLS_CERT !== undefined || values.FERRY_TLS_KEY !== undefined;
  if (!isLoopback(host) && !hasAnyTls && insecure !== '1') {
    const message =
      `is ${host}, where others can listen in: tokens and firmware would go in clear. ` +
      'Set FERRY_TLS_CERT and FERRY_TLS_KEY; or, behind a proxy that speaks TLS or for a trial, FERRY_INSECURE=1';
    problems.push({ variables: ['FERRY_HOST'], message });
  }
  return problems;
}

/** The ports that this configuration listens on: those of the host, and those of the embedded Temporal. */
export function portsOf(values: Values): { readonly ofHost: Variable[]; readonly ofTemporal: Variable[] } {
  return {
    ofHost: [
      'FERRY_HTTP_PORT',
      ...(takesPlainMqtt(values) ? (['FERRY_MQTT_PORT'] as const) : []),
      ...(hasTls(values) ? (['FERRY_MQTTS_PORT'] as const) : []),
    ],
    ofTemporal: values.TEMPORAL_ADDRESS === undefined ? ['FERRY_TEMPORAL_PORT', 'FERRY_TEMPORAL_UI_PORT'] : [],
  };
}

function portProblems(values: Values): Problem[] {
  const { ofHost, ofTemporal } = portsOf(values);
  const byPort = new Map<unknown, string[]>();
  for (const name of [...ofHost, ...ofTemporal]) byPort.set(values[name], [...(byPort.get(values[name]) ?? []), name]);
  return Array.from(byPort)
    .filter(([number, names]) => number !== 0 && names.length > 1)
    .map(([number, variables]) => ({ variables, message: `must differ, and are all ${String(number)}` }));
}
