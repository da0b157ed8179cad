import { describe, expect, it } from 'vitest';
import { DownloadLimit } from '../../api/download-limit.js';

const MINUTE_MS = 60_000;

describe('The limit of downloads', () => {
  it('lets a device fetch its file so many times in a minute, in whichever parts', () => {
    const limit = new DownloadLimit(2);
    for (let i = 0; i < 16; i++) expect(limit.waitSeconds(1, 0.125, 0)).toBe(0);
    expect(limit.waitSeconds(1, 0.125, 15_000)).toBe(45);
    expect(limit.waitSeconds(2, 1, 15_000)).toBe(0);
    expect(limit.waitSeconds(1, 1, MINUTE_MS)).toBe(0);
  });

  it('counts the requests too, of which each costs a look-up, however little it asks for', () => {
    const limit = new DownloadLimit(1);
    for (let i = 0; i < 200; i++) expect(limit.waitSeconds(1, 0, 0)).toBe(0);
    expect(limit.waitSeconds(1, 0, 30_000)).toBe(30);
    expect(limit.waitSeconds(1, 0, MINUTE_MS)).toBe(0);
  });
});
