/** What devices and operators wrote, made safe to show: no control characters, so no terminal sequences either. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '·');

/** `2026-01-02 03:04:05 UTC+01:00`, in the reader's own time zone (`TZ`), or a dash. */
export function localTime(iso: string | null): string {
  if (iso === null) return '–';
  const at = new Date(iso);
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${clockTime(at)} ${zoneOf(at)}`;
}

/** `03:04:05` in the same zone. */
export const clockTime = (at: Date): string => [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');

function zoneOf(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const abs = Math.abs(minutes);
  return `UTC${minutes < 0 ? '-' : '+'}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

const two = (number: number): string => String(number).padStart(2, '0');

/** The sentences of the service have their times in UTC: here they are in the same form as all others. */
export const timesIn = (sentence: string): string =>
  sentence.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (iso) => localTime(iso));

/** `1.5 MB`, in binary units. */
export function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_024 ** 2) return `${(bytes / 1_024).toFixed(1)} KB`;
  return `${(bytes / 1_024 ** 2).toFixed(1)} MB`;
}

/** `1 device`, `2 devices`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
