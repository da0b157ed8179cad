import { isDeviceNameHeading, LINE_END, nameOn } from '../../../domain/table-text.js';

const HEADER = 'deviceName';

/**
 * Device names from a pasted list or a CSV file: one a line, the first column counts; headings, `#` comments and blank
 * lines are skipped, as the command line does it.
 *
 * @returns the names, each once, and the numbers of lines (from 1) that hold none
 */
export function parseNames(
  text: string,
  problemOf: (name: string) => string | undefined,
): { readonly names: string[]; readonly invalidLines: number[] } {
  const names = new Set<string>();
  const invalidLines: number[] = [];
  text.split(LINE_END).forEach((line, i) => {
    const name = nameOn(line);
    if (name === '' || name.startsWith('#') || isDeviceNameHeading(name)) return;
    if (problemOf(name) === undefined) names.add(name);
    else invalidLines.push(i + 1);
  });
  return { names: [...names], invalidLines };
}

/** The list without some of its names. One that holds no other becomes a list of none, not the absence of a list. */
export function withoutNames(text: string, names: readonly string[]): string {
  const removed = new Set(names);
  const kept = text.split(LINE_END).filter((line) => !removed.has(nameOn(line)));
  const isEmpty = kept.every((line) => line.trim() === '');
  return isEmpty ? HEADER : kept.join('\n');
}
