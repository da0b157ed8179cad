import { describe, expect, it } from 'vitest';
import { sheetLines, type SheetLine } from '../../api/sheet.js';
import { csvPieces } from '../../cli/csv-pieces.js';

/** The service's own limit of a request. */
const LINES_MAX = 20_000;

async function linesOf(piece: string): Promise<SheetLine[]> {
  const lines: SheetLine[] = [];
  for await (const line of sheetLines(piece, LINES_MAX)) lines.push(line);
  return lines;
}

/** What the service reads of all pieces, the header of each left out. */
async function devicesOf(text: string): Promise<readonly SheetLine[]> {
  const pieces = await Promise.all(csvPieces(text).map(linesOf));
  return pieces.flatMap(([header, ...devices]) => {
    expect(header?.cells).toEqual(['deviceName', 'protocol']);
    return devices;
  });
}

const rows = (count: number, separator = ','): string[] =>
  Array.from({ length: count }, (_, i) => `device-${i}${separator}mqtt`);

describe('a CSV in pieces', () => {
  it.each([9_999, 10_000, 10_001, 20_000, 30_001])('has each of %i devices, at its line', async (count) => {
    const devices = await devicesOf(['deviceName,protocol', ...rows(count), ''].join('\n'));
    expect(devices.map(({ cells }) => cells[0])).toEqual(rows(count).map((row) => row.split(',')[0]));
    expect(devices.every(({ line }, i) => line === i + 2)).toBe(true);
  });

  it.each([
    ['the mark of a spreadsheet', ['sep=;']],
    ['blank lines', ['', ' ']],
    ['both', ['sep=;', '']],
  ])('has each device, at its line, also with %s above the header', async (_, above) => {
    const text = [...above, 'deviceName;protocol', ...rows(15_000, ';')].join('\r\n');
    const devices = await devicesOf(text);
    expect(devices).toHaveLength(15_000);
    expect(devices.at(-1)).toEqual({ cells: ['device-14999', 'mqtt'], line: above.length + 15_001 });
  });
});
