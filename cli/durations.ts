import ms, { type StringValue } from 'ms';
import { InvalidArgumentError } from 'commander';

const DURATION = /^\d+(\.\d+)?\s*[a-z]+$/i;

/**
 * A duration with its unit, such as `7d`, `5m`, `1.5h` or `90s`, in milliseconds.
 *
 * @throws InvalidArgumentError for anything else, a number without a unit included
 */
export function parseDuration(text: string): number {
  const parsed = DURATION.test(text) ? (ms(text as StringValue) as number | undefined) : undefined;
  if (parsed === undefined || !Number.isFinite(parsed)) {
    throw new InvalidArgumentError('It must be a duration such as 7d, 12h, 5m or 90s.');
  }
  return Math.round(parsed);
}

/** A whole number from `min` up. @throws InvalidArgumentError */
export const wholeNumber =
  (min: number) =>
  (text: string): number => {
    const number = Number(text);
    if (!Number.isSafeInteger(number) || number < min || text.trim() === '') {
      throw new InvalidArgumentError(`It must be a whole number from ${min} up.`);
    }
    return number;
  };

/** In words of the same kind: `5m`, `7d`. */
export const durationText = (durationMs: number): string => (durationMs === 0 ? '0s' : ms(durationMs));

/** `366 days`, `1 second`, `0 ms`. */
export const longDurationText = (durationMs: number): string => ms(durationMs, { long: true });
