import { randomBytes } from 'node:crypto';
import { URL_CHARACTERS_MAX } from '../broker/payloads.js';
import { createDownloadTokens, DOWNLOAD_PATH, type DownloadTokens } from '../firmware/download-token.js';
import { DOWNLOAD_URL_KEY, type OpenDeviceUpdate, type Records } from '../records/records.js';
import type { Config } from './config.js';
import { StartupError } from './startup-error.js';

const KEY_BYTES = 32;
const TOKEN_CHARACTERS = 35;

export interface DownloadUrls {
  readonly tokens: DownloadTokens;
  /** A fresh URL for one device update, good for the configured time. */
  readonly urlFor: (update: OpenDeviceUpdate) => string;
  /**
   * Where devices reach the service: known once it listens, and set before it takes connections.
   *
   * @throws StartupError when URLs would be too long for devices
   */
  publishAt(baseUrl: string): void;
}

/** The signed URLs from which devices download. The key is made once and kept in the records. */
export async function createDownloadUrls(
  { downloadUrlTtlMs }: Pick<Config, 'downloadUrlTtlMs'>,
  records: Pick<Records, 'setting'>,
): Promise<DownloadUrls> {
  const key = await records.setting(DOWNLOAD_URL_KEY, () => randomBytes(KEY_BYTES).toString('base64url'));
  const tokens = createDownloadTokens(Buffer.from(key, 'base64url'));
  let publishedAt = '';
  return {
    tokens,
    urlFor: ({ record }) =>
      `${publishedAt}${DOWNLOAD_PATH}${tokens.mint({ deviceUpdateId: record.id, expiresAtMs: Date.now() + downloadUrlTtlMs })}`,
    publishAt(baseUrl) {
      const length = baseUrl.length + DOWNLOAD_PATH.length + TOKEN_CHARACTERS;
      if (length > URL_CHARACTERS_MAX) {
        throw new StartupError(
          `FERRY_PUBLIC_URL: is too long; download URLs would have ${length} characters, devices take ${URL_CHARACTERS_MAX}.`,
        );
      }
      publishedAt = baseUrl;
    },
  };
}
