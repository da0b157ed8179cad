import { setImmediate } from 'node:timers/promises';
import type { Context } from 'hono';
import type { z } from '@hono/zod-openapi';
import type { FerryError, FieldProblem } from '../domain/errors.js';
import { decodeTable, plainCell } from '../domain/table-text.js';
import type { NewDevice } from '../records/records.js';
import type { ApiEnv } from './deps.js';
import { newDeviceSecret } from './ids.js';
import { malformedBody } from './problem.js';
import { mediaTypeOf } from './request-body.js';
import { DeviceListSchema, NewDeviceSchema, REGISTERED_DEVICES_MAX } from './requests.js';
import { fieldProblems, invalidRequest } from './router.js';
import { sheetLines } from './sheet.js';

/** Devices as a request names them, with the body that stands for it in its fingerprint. */
interface Registration {
  readonly devices: readonly NewDevice[];
  readonly body: unknown;
}

type ParsedDevice = z.output<typeof NewDeviceSchema>;

/**
 * Reads devices in whichever form they come: one, many, or CSV. Secrets that are absent are made.
 *
 * @throws FerryError `invalid-request` naming each field, or each line
 */
export async function readRegistration(c: Context<ApiEnv>): Promise<Registration> {
  if (mediaTypeOf(c) === 'text/csv') {
    const text = decodeTable(new Uint8Array(await c.req.arrayBuffer()));
    return { devices: complete(await devicesOfCsv(text)), body: text };
  }
  const body = parseJson(await c.req.text());
  return { devices: complete(await devicesOfJson(body)), body };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformedBody();
  }
}

async function devicesOfJson(body: unknown): Promise<Row[]> {
  if (typeof body !== 'object' || body === null || !('devices' in body)) {
    const parsed = NewDeviceSchema.safeParse(body);
    if (!parsed.success) throw invalidRequest(fieldProblems(parsed.error, 'json'));
    return [{ field: 'deviceName', device: parsed.data }];
  }
  const list = DeviceListSchema.safeParse(body);
  if (!list.success) throw invalidRequest(fieldProblems(list.error, 'json'));
  const found = new FoundDevices();
  for (const [i, device] of list.data.devices.entries()) await found.add(device, (field) => `devices.${i}.${field}`);
  return found.rows();
}

/** A device and where its name stands in the request. */
interface Row {
  readonly field: string;
  readonly device: ParsedDevice;
}

/** Every bad line is named: a list of thousands is not mended one refusal at a time. */
async function devicesOfCsv(text: string): Promise<Row[]> {
  const found = new FoundDevices();
  let columns: readonly string[] | undefined;
  for await (const { cells, line } of sheetLines(text, LINES_MAX)) {
    if (columns === undefined) {
      columns = checkedHeader(cells, line);
      continue;
    }
    const known = columns;
    const cellCount = cells.findLastIndex((cell) => cell !== '') + 1;
    if (cellCount > known.length) {
      const message = `has ${cellCount} cells, but the header line (${known.join()}) has ${known.length}`;
      found.problems.push({ field: `line ${line}`, message });
      continue;
    }
    const filled = cells.flatMap((cell, i) =>
      cell === '' ? [] : [[known[i], known[i] === 'deviceSecret' ? cell : plainCell(cell)]],
    );
    await found.add(Object.fromEntries(filled), (field) => `line ${line}, ${field}`);
  }
  return found.rows();
}

/** Also lines without a device are counted: what has so many is no list of devices. */
const LINES_MAX = 2 * REGISTERED_DEVICES_MAX;

/** Devices as they are read, with all that is wrong with them. */
class FoundDevices {
  readonly problems: FieldProblem[] = [];
  private readonly found: Row[] = [];
  private readonly seen = new Set<string>();
  private count = 0;

  /** @param place how the request calls a field of this device */
  async add(device: unknown, place: (field: string) => string): Promise<void> {
    if (++this.count > REGISTERED_DEVICES_MAX) throw tooMany();
    const parsed = NewDeviceSchema.safeParse(device);
    if (parsed.success) {
      const row = { field: place('deviceName'), device: parsed.data };
      const { deviceName } = parsed.data;
      if (this.seen.has(deviceName)) this.problems.push({ field: row.field, message: `${deviceName} is listed twice` });
      this.seen.add(deviceName);
      this.found.push(row);
    } else {
      for (const { field, message } of fieldProblems(parsed.error, 'json')) {
        this.problems.push({ field: place(field), message });
      }
    }
    // Others have their turn.
    if (this.count % DEVICES_A_TURN === 0) await setImmediate();
  }

  rows(): Row[] {
    if (this.problems.length > 0) throw invalidRequest(this.problems);
    if (this.found.length === 0)
      throw invalidRequest([{ field: 'body', message: 'has no device below its header line' }]);
    return this.found;
  }
}

const DEVICES_A_TURN = 500;

const tooMany = (): FerryError =>
  invalidRequest([
    {
      field: 'body',
      message: `must have at most ${REGISTERED_DEVICES_MAX} devices; send the others in a further request`,
    },
  ]);

const COLUMNS = ['deviceName', 'deviceSecret', 'protocol'];

/** The columns in our letters: `Device Name` is `deviceName`. */
function checkedHeader(cells: readonly string[], line: number): string[] {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[\s_-]/g, '');
  // Cells that a spreadsheet leaves empty behind the last column.
  const given = cells.slice(0, cells.findLastIndex((cell) => cell !== '') + 1);
  const names = given.map((cell) => COLUMNS.find((column) => plain(column) === plain(cell)) ?? cell);
  const unknown = names.find((name) => !COLUMNS.includes(name));
  const message =
    unknown !== undefined
      ? `"${unknown.slice(0, 64)}" is not a column; use ${COLUMNS.join(', ')}, with commas, semicolons or tabs between them`
      : new Set(names).size < names.length
        ? 'names a column twice'
        : names.includes('deviceName')
          ? undefined
          : 'must name the column deviceName';
  if (message !== undefined) throw invalidRequest([{ field: `line ${line}`, message }]);
  return names;
}

const complete = (rows: readonly Row[]): NewDevice[] =>
  rows.map(({ device }) => ({ ...device, deviceSecret: device.deviceSecret ?? newDeviceSecret() }));
