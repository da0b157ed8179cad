import { setImmediate } from 'node:timers/promises';
import { CsvError, parse } from 'csv-parse';
import { Readable } from 'node:stream';
import { delimiterOf } from '../domain/table-text.js';
import { invalidRequest } from './router.js';

/** A line of a table, with the number that a text editor shows beside it; a cell with line ends ends there. */
export interface SheetLine {
  readonly cells: readonly string[];
  readonly line: number;
}

/** A row of a registration has some 250 characters; what is longer is no row, or an open quote. */
const ROW_CHARACTERS_MAX = 4_096;
/** Some hundreds of the shortest rows: each costs the parser up to 50 microseconds, and others wait meanwhile. */
const SLICE_CHARACTERS = 1_024;

/**
 * The lines of a table, without those that are blank or have empty cells only. Takes commas, semicolons or tabs, any line
 * ends, also mixed ones, and the line `sep=;` of spreadsheets. Between slices of the text, others have their turn.
 *
 * @param linesMax how many lines it may have, of which blank ones are not counted
 * @throws FerryError `invalid-request` naming the line, for quotes that are wrong or a line too many
 */
export async function* sheetLines(text: string, linesMax: number): AsyncGenerator<SheetLine> {
  const [mark = '', named] = /^"?sep=([,;\t])"?(\r\n|\n|\r)/i.exec(text) ?? [];
  const table = withoutEmptyEnd(text).slice(mark.length);
  const delimiter = named ?? delimiterOf(/^\s*[^\r\n]*/.exec(table)?.[0] ?? '');
  const parser = Readable.from(slicesOf(table)).pipe(
    parse({
      delimiter,
      info: true,
      max_record_size: ROW_CHARACTERS_MAX,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
      // A tab would be trimmed away as a blank.
      trim: delimiter !== '\t',
    }),
  );
  const first = mark === '' ? 0 : 1;
  let count = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      const line = info.lines + first;
      if (++count > linesMax) {
        const message = `is one line too many: a table may have ${linesMax} lines that are not blank`;
        throw invalidRequest([{ field: `line ${line}`, message }]);
      }
      const cells = record.map((cell) => cell.trim());
      if (cells.some((cell) => cell !== '')) yield { cells, line };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = ((error as { lines?: number }).lines ?? 1) + first;
    throw invalidRequest([{ field: `line ${line}`, message: FAULTS[error.code] ?? 'is not a line of a table' }]);
  }
}

const FAULTS: Readonly<Partial<Record<string, string>>> = {
  CSV_QUOTE_NOT_CLOSED: 'has a quote that is never closed',
  CSV_INVALID_CLOSING_QUOTE: 'has something behind a closing quote; double the quotes that are part of a cell',
  INVALID_OPENING_QUOTE: 'has a quote within a cell; put the cell in quotes, and double those within',
  CSV_MAX_RECORD_SIZE: `has more than ${ROW_CHARACTERS_MAX} characters; a quote may not be closed`,
};

async function* slicesOf(text: string): AsyncGenerator<string> {
  for (let from = 0; from < text.length; from += SLICE_CHARACTERS) {
    yield text.slice(from, from + SLICE_CHARACTERS);
    await setImmediate();
  }
}

/** Without the lines of separators that spreadsheets write below the last row, which may be a million. */
function withoutEmptyEnd(text: string): string {
  let end = text.length;
  for (let at = end - 1; at >= 0 && isEmpty(text.charCodeAt(at)); at--) {
    if (isLineEnd(text.charCodeAt(at))) end = at + 1;
  }
  return text.slice(0, end);
}
const isLineEnd = (code: number): boolean => code === 0x0a || code === 0x0d;
/** A blank, a quote, a separator or the end of a line. */
const isEmpty = (code: number): boolean =>
  code === 0x2c || isLineEnd(code) || code === 0x3b || code === 0x09 || code === 0x20 || code === 0x22;
