import { CsvError, parse } from 'csv-parse/sync';
import type { Context } from 'hono';
import type { z } from '@hono/zod-openapi';
import { FerryError, type FieldProblem } from '../domain/errors.js';
import type { NewDevice } from '../records/records.js';
import type { ApiEnv } from './deps.js';
import { newDeviceSecret } from './ids.js';
import { malformedBody } from './problem.js';
import { NewDeviceSchema, REGISTERED_DEVICES_MAX, registrationSchema } from './requests.js';
import { fieldProblems, invalidRequest } from './router.js';

/** Devices as a request names them, with the body that stands for it in its fingerprint. */
interface Registration {
  readonly devices: readonly NewDevice[];
  readonly body: unknown;
}

type ParsedDevice = z.output<typeof NewDeviceSchema>;

/**
 * Reads devices in whichever form they come: one, many, or CSV. Secrets that are absent are made.
 *
 * @throws FerryError `invalid-request` naming each field, or each line; `unsupported-media-type`
 */
export async function readRegistration(c: Context<ApiEnv>): Promise<Registration> {
  const mediaType = (c.req.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const text = await c.req.text();
  switch (mediaType) {
    case 'application/json': {
      const body = parseJson(text);
      return { devices: complete(devicesOfJson(body)), body };
    }
    case 'text/csv':
      return { devices: complete(devicesOfCsv(text)), body: text };
    default:
      throw new FerryError('unsupported-media-type', 'Send devices as application/json or text/csv.');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformedBody();
  }
}

function devicesOfJson(body: unknown): Row[] {
  const parsed = registrationSchema(body).safeParse(body);
  if (!parsed.success) throw invalidRequest(fieldProblems(parsed.error, 'json'));
  if (!('devices' in parsed.data)) return [{ field: 'deviceName', device: parsed.data }];
  return parsed.data.devices.map((device, index) => ({ field: `devices.${index}.deviceName`, device }));
}

/** A device and where its name stands in the request. */
interface Row {
  readonly field: string;
  readonly device: ParsedDevice;
}

/** Every bad line is named: a list of thousands is not mended one refusal at a time. */
function devicesOfCsv(text: string): Row[] {
  const problems: FieldProblem[] = [];
  const rows: Row[] = [];
  for (const { record, info } of parseCsv(text)) {
    const filled = Object.fromEntries(Object.entries(record).filter(([, value]) => value !== ''));
    const parsed = NewDeviceSchema.safeParse(filled);
    if (parsed.success) {
      rows.push({ field: `line ${info.lines}, deviceName`, device: parsed.data });
      continue;
    }
    for (const { field, message } of fieldProblems(parsed.error, 'line')) {
      problems.push({ field: `line ${info.lines}, ${field}`, message });
    }
  }
  if (problems.length > 0) throw invalidRequest(problems);
  if (rows.length === 0) throw invalidRequest([{ field: 'body', message: 'has no device below its header line' }]);
  if (rows.length > REGISTERED_DEVICES_MAX) {
    throw invalidRequest([{ field: 'body', message: `must have at most ${REGISTERED_DEVICES_MAX} devices` }]);
  }
  return rows;
}

interface CsvLine {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

function parseCsv(text: string): CsvLine[] {
  try {
    return parse(text, {
      bom: true,
      columns: checkedHeader,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as CsvLine[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalidRequest([{ field: `line ${(error as { lines?: number }).lines ?? 1}`, message: error.message }]);
  }
}

const COLUMNS = ['deviceName', 'deviceSecret', 'protocol'];

function checkedHeader(names: string[]): string[] {
  const unknown = names.find((name) => !COLUMNS.includes(name));
  const message =
    unknown !== undefined
      ? `"${unknown.slice(0, 64)}" is not a column; use ${COLUMNS.join(', ')}`
      : new Set(names).size < names.length
        ? 'names a column twice'
        : names.includes('deviceName')
          ? undefined
          : 'must name the column deviceName';
  if (message !== undefined) throw invalidRequest([{ field: 'line 1', message }]);
  return names;
}

function complete(rows: readonly Row[]): NewDevice[] {
  const seen = new Set<string>();
  const repeated = rows.filter(({ device }) => seen.size === seen.add(device.deviceName).size);
  if (repeated.length > 0) {
    throw invalidRequest(
      repeated.map(({ field, device }) => ({ field, message: `${device.deviceName} is listed twice` })),
    );
  }
  return rows.map(({ device }) => ({ ...device, deviceSecret: device.deviceSecret ?? newDeviceSecret() }));
}
