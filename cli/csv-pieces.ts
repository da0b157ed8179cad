import { LINE_END } from '../domain/table-text.js';

/** Devices that the service registers in one request. */
const PIECE = 10_000;

/** A spreadsheet names its separator so, above the header. */
const SEPARATOR_MARK = /^"?sep=.?"?$/i;

/**
 * A CSV of devices in pieces that one request each may have, every one below the header and what stands above that.
 * Blank lines stand for those of the pieces before: so the service names lines as the file has them. No value of a
 * device has a line end in it.
 */
export function csvPieces(text: string, most = PIECE): string[] {
  const all = text.split(LINE_END);
  const below = 1 + all.findIndex((line) => line.trim() !== '' && !SEPARATOR_MARK.test(line.trim()));
  const header = all.slice(0, below).join('\n');
  const lines = all.slice(below);
  if (lines.filter((line) => line.trim() !== '').length <= most) return [text];
  const pieces: string[] = [];
  let [begin, count] = [0, 0];
  lines.forEach((line, at) => {
    if (line.trim() !== '') count++;
    const isLast = at === lines.length - 1;
    if (count === 0 || (count < most && !isLast)) return;
    pieces.push(`${header}\n${'\n'.repeat(begin)}${lines.slice(begin, at + 1).join('\n')}\n`);
    [begin, count] = [at + 1, 0];
  });
  return pieces;
}
