/* Names tell people apart in the audit log and under the two-person rule: two that look alike are one. */

/** What the audit log says of those who have no token of their own. */
export const RESERVED_NAMES = ['admin', 'administrator', 'anonymous', 'ferry', 'system', 'unknown'] as const;

/** Letters of other scripts that look like Latin ones in lower case. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  ...{ а: 'a', в: 'b', с: 'c', ԁ: 'd', е: 'e', һ: 'h', н: 'h', і: 'i', ј: 'j', к: 'k', ӏ: 'l', м: 'm', п: 'n', о: 'o' },
  ...{ р: 'p', ԛ: 'q', г: 'r', ѕ: 's', т: 't', у: 'y', ѵ: 'v', ԝ: 'w', х: 'x' },
  ...{ α: 'a', ε: 'e', η: 'n', ι: 'i', κ: 'k', ν: 'v', ο: 'o', ρ: 'p', τ: 't', υ: 'u', χ: 'x', γ: 'y' },
  ...{ ո: 'n', օ: 'o', ս: 'u', ց: 'g', հ: 'h', ı: 'i', ɡ: 'g', ɑ: 'a' },
};

/** The same text for names that look the same: by letters, width, case and blanks. */
export const sameName = (name: string): string =>
  Array.from(name.normalize('NFKC').toLowerCase().normalize('NFKC'), (letter) => LOOK_ALIKES[letter] ?? letter)
    .join('')
    .replaceAll(/\s+/g, ' ')
    .trim();

/** Whether a name would be taken for one of those that stand for others, also in digits, accents and dots. */
export function isReservedName(name: string): boolean {
  const plain = sameName(name.normalize('NFKD').replaceAll(/\p{M}/gu, ''))
    .replaceAll('0', 'o')
    .replaceAll(/[1|!]/g, 'i')
    .replaceAll(/[^a-z0-9]/g, '');
  return (RESERVED_NAMES as readonly string[]).some(
    (reserved) => plain === reserved || plain === reserved.replaceAll('i', 'l'),
  );
}
