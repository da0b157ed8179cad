import { createHmac, timingSafeEqual } from 'node:crypto';

/** Where devices download: the token follows. */
export const DOWNLOAD_PATH = '/files/';

const ID_BYTES = 6;
const EXPIRY_BYTES = 4;
const MAC_BYTES = 16;
/** 26 bytes in base64url. */
const TOKEN = /^[A-Za-z0-9_-]{35}$/;

export interface DownloadTokens {
  /**
   * @param deviceUpdateId at most 2^47
   * @param expiresAtMs rounded up to a second; before the year 2106
   */
  mint(grant: { readonly deviceUpdateId: number; readonly expiresAtMs: number }): string;
  /** The device update that the token lets download its firmware; undefined if it is forged, damaged or expired. */
  read(token: string, nowMs: number): number | undefined;
}

/**
 * Tokens of download URLs: base64url(id | expiry in seconds | truncated HMAC-SHA256). Short, since C devices crash on a
 * URL of more than 254 characters [protocol: the notification].
 */
export function createDownloadTokens(key: string | Uint8Array): DownloadTokens {
  const macOf = (grant: Uint8Array): Buffer => createHmac('sha256', key).update(grant).digest().subarray(0, MAC_BYTES);

  return {
    mint({ deviceUpdateId, expiresAtMs }) {
      const grant = Buffer.alloc(ID_BYTES + EXPIRY_BYTES);
      grant.writeUIntBE(deviceUpdateId, 0, ID_BYTES);
      grant.writeUInt32BE(Math.ceil(expiresAtMs / 1_000), ID_BYTES);
      return Buffer.concat([grant, macOf(grant)]).toString('base64url');
    },

    read(token, nowMs) {
      if (!TOKEN.test(token)) return undefined;
      const bytes = Buffer.from(token, 'base64url');
      // The last character has two unused bits: only one spelling of a token is a token.
      if (bytes.toString('base64url') !== token) return undefined;
      const grant = bytes.subarray(0, ID_BYTES + EXPIRY_BYTES);
      if (!timingSafeEqual(macOf(grant), bytes.subarray(grant.length))) return undefined;
      if (grant.readUInt32BE(ID_BYTES) * 1_000 <= nowMs) return undefined;
      return grant.readUIntBE(0, ID_BYTES);
    },
  };
}
