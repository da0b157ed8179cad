import { beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../../records/records.js';
import type { Ground } from './ground.js';

const session = (hash: string, expiresAtMs = 100) => ({
  ...{ hash, principal: 'admin', credential: 'digest', createdAtMs: 10, expiresAtMs },
});

export function describeSessions(ground: () => Ground): void {
  describe('sessions', () => {
    let records: Records;
    beforeEach(() => {
      ({ records } = ground());
    });

    it('are there until they expire or are ended', async () => {
      await records.addSession(session('a'));
      await records.addSession(session('b'));
      const { hash: _, ...kept } = session('a');
      expect(await records.getSession('a', 99)).toEqual(kept);
      expect(await records.getSession('a', 100)).toBeUndefined();
      await records.endSession('b');
      expect(await records.getSession('b', 50)).toBeUndefined();
      expect(await records.getSession('nobody', 50)).toBeUndefined();
    });

    it('begin by a link once, also when it is used twice at the same instant', async () => {
      await records.addSignInLink('link', 100);
      const redeemed = await Promise.all(
        ['a', 'b', 'c'].map((hash) => records.redeemSignInLink('link', session(hash))),
      );
      expect(redeemed.filter(Boolean)).toHaveLength(1);
      const begun = await Promise.all(['a', 'b', 'c'].map((hash) => records.getSession(hash, 50)));
      expect(begun.filter(Boolean)).toHaveLength(1);
    });

    it('do not begin by a link that has expired or is unknown', async () => {
      await records.addSignInLink('old', 10);
      expect(await records.redeemSignInLink('old', session('a'))).toBe(false);
      expect(await records.redeemSignInLink('unknown', session('b'))).toBe(false);
    });

    it('and links are forgotten once they have expired', async () => {
      await records.addSession(session('old', 20));
      await records.addSession(session('new', 200));
      await records.addSignInLink('link', 20);
      await records.forgetSessions(50);
      expect(await records.getSession('old', 15)).toBeUndefined();
      expect(await records.getSession('new', 15)).toBeDefined();
      expect(await records.redeemSignInLink('link', session('x'))).toBe(false);
    });
  });
}
