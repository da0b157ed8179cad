import { useMemo } from 'react';
import { LOCALES, useLanguage, type Language } from './language.js';

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

export type Format = ReturnType<typeof createFormat>;

/** Numbers and times as the viewer writes them, in the viewer's time zone. Times are ISO 8601, spans milliseconds. */
export function createFormat(language: Language) {
  const locale = LOCALES[language];
  const number = new Intl.NumberFormat(locale);
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const short = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
  const seconds = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const long = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'long' });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const list = new Intl.ListFormat(locale, { type: 'conjunction' });
  const inUnit = (value: number, unit: string, digits = 0) =>
    new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits }).format(
      value,
    );

  return {
    number: (value: number) => number.format(value),
    /** @param share 0 to 1 */
    percent: (share: number) => percent.format(share),
    time: (iso: string) => short.format(new Date(iso)),
    /** With seconds. */
    timeToSecond: (iso: string) => seconds.format(new Date(iso)),
    /** With seconds and the zone. */
    exactTime: (iso: string) => long.format(new Date(iso)),
    /** The time of day. */
    clock: (iso: string) => clock.format(new Date(iso)),
    ago: (iso: string, nowMs: number = Date.now()) => {
      const distanceMs = Date.parse(iso) - nowMs;
      const [unit, unitMs] = UNITS.find(([, ms]) => Math.abs(distanceMs) >= ms) ?? UNITS[3];
      return relative.format(Math.round(distanceMs / unitMs), unit);
    },
    /** In its two largest units. */
    duration: (ms: number) => {
      const parts: string[] = [];
      let rest = Math.max(0, ms);
      for (const [unit, unitMs] of UNITS) {
        const whole = Math.floor(rest / unitMs);
        if (whole === 0) continue;
        parts.push(inUnit(whole, unit));
        rest -= whole * unitMs;
      }
      return parts.length === 0 ? inUnit(0, 'second') : parts.slice(0, 2).join(' ');
    },
    /** "15–20 min": a time that is known within bounds, in whole units. */
    span: (fromMs: number, toMs: number) => {
      const [unit, unitMs] = UNITS.slice(0, 3).find(([, ms]) => fromMs >= 2 * ms) ?? UNITS[2];
      const [from, to] = [Math.max(1, Math.floor(fromMs / unitMs)), Math.ceil(toMs / unitMs)];
      const style = { style: 'unit', unit, unitDisplay: 'short' } as const;
      return new Intl.NumberFormat(locale, style).formatRange(from, to);
    },
    bytes: (bytes: number) => {
      if (bytes < 1_024) return inUnit(bytes, 'byte');
      if (bytes < 1_024 ** 2) return inUnit(bytes / 1_024, 'kilobyte', 1);
      return inUnit(bytes / 1_024 ** 2, 'megabyte', 1);
    },
    list: (items: readonly string[]) => list.format(items),
  };
}

export function useFormat(): Format {
  const { language } = useLanguage();
  return useMemo(() => createFormat(language), [language]);
}
