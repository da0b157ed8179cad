import { ApiError } from '../../../api/client-core.js';
import { delimiterOf, isDeviceNameHeading, LINE_END, unquoted } from '../../../domain/table-text.js';

const HEADER = 'deviceName';

interface TypedDevices {
  /** What the API takes. */
  readonly csv: string;
  readonly count: number;
  /** Lines that the CSV has in front of what was typed. */
  readonly addedLines: number;
}

/** Names, one a line, or CSV. No line is left out, so that each keeps its number. */
export function parseTyped(text: string): TypedDevices {
  const lines = text.split(LINE_END).map((line) => line.trim());
  const filled = lines.filter((line) => line !== '');
  const [first = ''] = filled;
  const cells = first.split(delimiterOf(first)).map((cell) => unquoted(cell.trim()).trim());
  const added = cells.some(isDeviceNameHeading) ? [] : [HEADER];
  return {
    csv: `${[...added, ...lines].join('\n')}\n`,
    count: filled.length - (1 - added.length),
    addedLines: added.length,
  };
}

/** A refusal names lines of the CSV: here they are those of what was typed. */
export function withLinesAsTyped(error: unknown, { addedLines }: TypedDevices): unknown {
  if (!(error instanceof ApiError)) return error;
  const asTyped = (text: string) =>
    text.replaceAll(/\bline (\d+)/g, (_, line: string) => `line ${Number(line) - addedLines}`);
  const errors = error.errors.map(({ field, message }) => ({ field: asTyped(field), message: asTyped(message) }));
  return new ApiError(error.status, { ...error.problem, errors });
}
