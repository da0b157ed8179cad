import { z } from '@hono/zod-openapi';

export interface NumberBounds {
  readonly min: number;
  readonly max: number;
}

/** Which rule of a whole number is broken, as the end of a sentence; undefined: none is. */
function problemOf(number: number, { min, max }: NumberBounds): string | undefined {
  if (Number.isNaN(number)) return 'must be a number';
  if (!Number.isInteger(number)) return 'must be a whole number';
  if (number < min) return `must be at least ${min}`;
  if (number > max) return `must be at most ${max}`;
  return undefined;
}

/** Decimal digits only: `Number` would take blanks for 0, and `0x10` and `1e3` for numbers. */
const numberIn = (text: string): number => (/^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN);

/** A whole number that comes as text, from a query or an environment variable; the message names the broken rule. */
export const wholeNumber = (bounds: NumberBounds) =>
  z.string().transform((text, context): number => {
    const number = numberIn(text);
    const message = problemOf(number, bounds);
    if (message === undefined) return number;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
