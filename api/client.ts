import { createClientCore, type CreationOptions } from './client-core.js';
import { uploadBody } from './client-upload.js';
import type { FirmwareFieldsRequest } from './requests.js';
import type { FirmwareAnswer } from './schemas.js';

export { ApiError, ApiUnreachableError, eachItem, isOfTheFuture } from './client-core.js';

export interface ApiClientOptions {
  /** Where the API listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly token: string;
}

export interface FirmwareUpload extends FirmwareFieldsRequest {
  /** Path of the file; it is streamed. */
  readonly file: string;
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void;
}

export type ApiClient = ReturnType<typeof createApiClient>;

/**
 * Ferry's HTTP API as methods, for programs that hold a token.
 *
 * @throws ApiError (each method) for a refusal, ApiUnreachableError when there is no answer
 */
export function createApiClient({ url, token }: ApiClientOptions) {
  const core = createClientCore({ url, headers: { authorization: `Bearer ${token}` } });
  return {
    ...core,
    async addFirmware(
      { file, onProgress, ...fields }: FirmwareUpload,
      { idempotencyKey }: CreationOptions = {},
    ): Promise<FirmwareAnswer> {
      const { body, contentType } = await uploadBody(file, fields, onProgress);
      const headers: Record<string, string> = { 'content-type': contentType };
      if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
      const response = await core.send('POST', 'v1/firmware', { body, headers, expects: 'application/json' });
      return (await response.json()) as FirmwareAnswer;
    },
  };
}
