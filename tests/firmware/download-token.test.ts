import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDownloadTokens, DOWNLOAD_PATH } from '../../firmware/download-token.js';

const NOW_MS = 1_800_000_000_000;
const grant = { deviceUpdateId: 42, expiresAtMs: NOW_MS + 60_000 };

describe('A download token', () => {
  const tokens = createDownloadTokens('a key');

  it('answers the device update that it was made for, until it expires', () => {
    const token = tokens.mint(grant);
    expect(tokens.read(token, NOW_MS)).toBe(42);
    expect(tokens.read(token, NOW_MS + 59_999)).toBe(42);
    expect(tokens.read(token, NOW_MS + 60_000)).toBeUndefined();
  });

  it('carries every id up to 2^47', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 47 }), (deviceUpdateId) => {
        expect(tokens.read(tokens.mint({ ...grant, deviceUpdateId }), NOW_MS)).toBe(deviceUpdateId);
      }),
    );
  });

  it('leaves room for a long host in a URL of 254 characters', () => {
    expect((DOWNLOAD_PATH + tokens.mint(grant)).length).toBeLessThanOrEqual(42);
  });

  it('is nothing under another key', () => {
    expect(createDownloadTokens('another key').read(tokens.mint(grant), NOW_MS)).toBeUndefined();
  });

  it('is nothing once any of its characters is another', () => {
    const token = tokens.mint(grant);
    for (let i = 0; i < token.length; i++) {
      const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
      expect(tokens.read(changed, NOW_MS), changed).toBeUndefined();
    }
  });

  it('is nothing in another spelling of the same bytes', () => {
    const token = tokens.mint(grant);
    const bytes = Buffer.from(token, 'base64url');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twins = Array.from(alphabet, (last) => token.slice(0, -1) + last).filter(
      (twin) => twin !== token && Buffer.from(twin, 'base64url').equals(bytes),
    );
    expect(twins).toHaveLength(3);
    for (const twin of twins) expect(tokens.read(twin, NOW_MS)).toBeUndefined();
  });

  it.each([
    '',
    'x',
    '../../etc/passwd',
    'A'.repeat(34),
    'A'.repeat(36),
    'A'.repeat(10_000),
    '%00'.repeat(12),
    'ü'.repeat(35),
  ])('is not %s', (text) => {
    expect(tokens.read(text, NOW_MS)).toBeUndefined();
  });
});
