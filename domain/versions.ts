/**
 * Orders two version texts: runs of digits by value, everything else letter by letter, a missing part below a present
 * one except a pre-release behind a hyphen (1.0.0-rc1 < 1.0.0). Version schemes of devices are free text, so this only
 * serves to notice a downgrade.
 *
 * @returns negative when a is older, 0 when they are equal in order, positive when a is newer
 */
export function compareVersions(a: string, b: string): number {
  const [aRelease, aPre] = splitPreRelease(a);
  const [bRelease, bPre] = splitPreRelease(b);
  const byRelease = compareParts(parts(aRelease), parts(bRelease));
  if (byRelease !== 0) return byRelease;
  if (aPre === undefined || bPre === undefined) return Number(bPre !== undefined) - Number(aPre !== undefined);
  return compareParts(parts(aPre), parts(bPre));
}

function splitPreRelease(version: string): [string, string | undefined] {
  const plain = version.replace(/^[vV](?=\d)/, '').split('+', 1)[0] ?? '';
  const hyphen = plain.indexOf('-');
  return hyphen < 0 ? [plain, undefined] : [plain.slice(0, hyphen), plain.slice(hyphen + 1)];
}

const parts = (text: string): string[] => text.match(/\d+|[^\d.]+/g) ?? [];

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = comparePart(a[i] ?? '0', b[i] ?? '0');
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: string, b: string): number {
  const [aNumeric, bNumeric] = [/^\d/.test(a), /^\d/.test(b)];
  if (aNumeric && bNumeric) {
    const [x, y] = [BigInt(a), BigInt(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (aNumeric !== bNumeric) return aNumeric ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
