import type { Problem } from '../api/schemas.js';
import { longDurationText } from './durations.js';
import { POLICY_FLAGS } from './policy-options.js';
import { printable } from './printable.js';

/*
 * The service names fields of a request; who typed a command knows options and arguments.
 */

const WORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(POLICY_FLAGS).map(([field, flag]) => [`policy.${field}`, flag])),
  'policy.allowDowngrade': '--allow-downgrade',
  sourceVersions: '--from',
  deviceNames: '--devices',
  deviceSecret: '--secret',
  signMethod: '--sign-method',
  verificationSuccessesMin: '--successes',
  olderThanMs: '--older-than',
  expiresAt: '--expires',
  productKey: 'the product key',
  deviceName: 'the device name',
  publicKey: 'the public key',
  ...Object.fromEntries(
    [
      'name',
      'version',
      'module',
      'signature',
      'protocol',
      'role',
      'remark',
      'limit',
      'cursor',
      'search',
      'actor',
      'action',
      'target',
    ].map((field) => [field, `--${field}`]),
  ),
};

/** `devices.3.deviceName` is the fourth device's name; a field that no option stands for keeps its name. */
function wordOf(field: string): string {
  const [, list, place, member] = /^(\w+)\.(\d+)(?:\.(\w+))?$/.exec(field) ?? [];
  if (list === undefined) return WORDS[field] ?? field;
  const word = member === undefined ? (WORDS[list] ?? list) : (WORDS[member] ?? member);
  return `${word}, number ${Number(place) + 1}`;
}

/** `must be <=86400000` is `must be at most 1 day`. */
const bounds = (field: string, message: string): string =>
  message.replaceAll(/([<>])=(\d+)/g, (_, sign: string, number: string) => {
    const value = field.endsWith('Ms') ? longDurationText(Number(number)) : number;
    return `${sign === '<' ? 'at most' : 'at least'} ${value}`;
  });

/** A field and the rule that it breaks, in the words of the command line. */
export const fieldText = ({ field, message }: { readonly field: string; readonly message: string }): string =>
  `${wordOf(field)}: ${bounds(field, message)}`;

/** A refusal in one sentence with its code, in the words of the command line. */
export function refusedText({ detail = '', code, errors = [] }: Partial<Problem>): string {
  const [first] = errors;
  const prefix = first ? `${first.field}: ${first.message}` : undefined;
  const sentence =
    first && prefix !== undefined && detail.startsWith(prefix)
      ? `${fieldText(first)}${detail.slice(prefix.length)}`
      : detail
          .replace(/\bset policy\.(\w+)/g, (whole, field: string) => {
            const flag = WORDS[`policy.${field}`];
            return flag === undefined ? whole : `add ${flag}`;
          })
          .replace(/\bpolicy\.(\w+)/g, (whole) => WORDS[whole] ?? whole);
  return `${printable(sentence)} [${code ?? 'unknown'}]`;
}
