import { RecentMap } from '../domain/recent-map.js';

/** How many times its size a device may fetch of its firmware in a minute. */
export const DOWNLOADS_PER_MINUTE = 60;

/**
 * Requests that stand for one fetch of the whole file: each costs a look-up and an opened file, however little it asks
 * for. By default a device may send 200 a second, which is faster than devices that fetch in small ranges are.
 */
const REQUESTS_A_FILE = 200;

const MINUTE_MS = 60_000;
/** Device updates remembered; the one that began a download the longest ago is forgotten first. */
const REMEMBERED_MAX = 20_000;

/**
 * Counts what each device update asks for, over a minute: in parts of its file, so that a device which fetches in a
 * thousand ranges, or goes on after lost connections, comes no nearer to that limit than one that fetches all at once;
 * and in requests, since a thousand small ones cost more than their bytes.
 */
export class DownloadLimit {
  private readonly begun = new RecentMap<number, { sinceMs: number; files: number; requests: number }>(REMEMBERED_MAX);

  constructor(private readonly perMinute: number) {}

  /** @param part of the file that is asked for, 0 to 1. @returns seconds to wait; 0: go on */
  waitSeconds(deviceUpdateId: number, part: number, nowMs: number): number {
    const known = this.begun.get(deviceUpdateId);
    if (!known || nowMs - known.sinceMs >= MINUTE_MS) {
      this.begun.set(deviceUpdateId, { sinceMs: nowMs, files: part, requests: 1 });
      return 0;
    }
    known.files += part;
    known.requests++;
    const isWithin = known.files <= this.perMinute && known.requests <= this.perMinute * REQUESTS_A_FILE;
    return isWithin ? 0 : Math.ceil((known.sinceMs + MINUTE_MS - nowMs) / 1_000);
  }
}
