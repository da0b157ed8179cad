/**
 * Device names from a pasted list or a CSV file: one a line, the first column counts; a header `deviceName` is skipped.
 *
 * @returns the names, each once, and the numbers of lines (from 1) that hold none
 */
export function parseNames(
  text: string,
  problemOf: (name: string) => string | undefined,
): { readonly names: string[]; readonly invalidLines: number[] } {
  const names = new Set<string>();
  const invalidLines: number[] = [];
  text.split(/\r?\n/).forEach((line, i) => {
    const name = (line.split(/[,;\t]/)[0] ?? '').trim().replace(/^"(.*)"$/, '$1');
    if (name === '' || (i === 0 && name === 'deviceName')) return;
    if (problemOf(name) === undefined) names.add(name);
    else invalidLines.push(i + 1);
  });
  return { names: [...names], invalidLines };
}
