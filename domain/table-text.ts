/* Tables as spreadsheets and scripts write them, and as our exports do. */

/** @param bytes UTF-8 or UTF-16, with or without a byte-order mark: "Unicode text" of a spreadsheet is UTF-16 */
export function decodeTable(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

function encodingOf([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | 'utf-8' {
  // A table begins with a letter, of which the other byte is 0.
  if ((first === 0xff && second === 0xfe) || second === 0) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || first === 0) return 'utf-16be';
  return 'utf-8';
}

/** Any line end, also of old spreadsheets. */
export const LINE_END = /\r\n|\n|\r/;

const DELIMITERS = [',', ';', '\t'] as const;

/** What stands between the cells of the header; a comma where the header has one cell. */
export const delimiterOf = (header: string): string =>
  DELIMITERS.find((delimiter) => header.includes(delimiter)) ?? ',';

/** The name in the first cell of a line, whatever separates its cells; without quotes, and as our exports had it before. */
export const nameOn = (line: string): string => plainCell(unquoted((line.split(/[,;\t]/, 1)[0] ?? '').trim()).trim());

export const unquoted = (cell: string): string => cell.replace(/^"(.*)"$/, '$1');

/** Without the quote that exports put before a cell which a spreadsheet would take for a formula. */
export const plainCell = (cell: string): string => cell.replace(/^'(?=[=+\-@])/, '');

export const isDeviceNameHeading = (cell: string): boolean => /^device[\s_-]?name$/i.test(cell);
