import { ApiError, ApiUnreachableError, problemOf } from '../../api/client-core.js';
import type { FirmwareAnswer, FirmwareDetailAnswer } from '../../api/schemas.js';
import { BASE_PATH } from '../app/base-path.js';
import { CONSOLE_HEADERS } from './client.js';
import type { NewFirmware } from './firmware.js';

export interface Upload {
  readonly file: File;
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export function uploadFirmware({ file, idempotencyKey, onProgress, signal, ...fields }: NewFirmware): Promise<FirmwareAnswer> {
  const headers = { 'idempotency-key': idempotencyKey };
  return sendForm('POST', '/v1/firmware', { fields, headers, file, onProgress, signal });
}

export const repairFirmware = (firmwareId: string, upload: Upload): Promise<FirmwareDetailAnswer> =>
  sendForm('PUT', `/v1/firmware/${encodeURIComponent(firmwareId)}/file`, { fields: {}, headers: {}, ...upload });

interface Sending extends Pick<Upload, 'file'> {
  readonly fields: Readonly<Record<string, string | undefined>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly onProgress?: Upload['onProgress'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a file, telling how far it is; `fetch` can't tell.
 *
 * @throws ApiError for a refusal, ApiUnreachableError when there is no answer, DOMException `AbortError` when aborted
 */
function sendForm<Answer>(method: string, path: string, { fields, headers, file, onProgress, signal }: Sending): Promise<Answer> {
  const form = new FormData();
  // Fields first: the server checks them before it takes the file.
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value);
  form.set('file', file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, `${BASE_PATH}${path}`);
    for (const [name, value] of Object.entries({ ...CONSOLE_HEADERS, ...headers })) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(loaded, total);
    request.onerror = () => reject(new ApiUnreachableError('The server did not answer.'));
    request.onabort = () => reject(new DOMException('The upload was cancelled.', 'AbortError'));
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as Answer);
      const text = () => Promise.resolve(request.responseText);
      void problemOf({ text }).then((problem) => reject(new ApiError(request.status, problem)));
    };
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    if (signal?.aborted) request.abort();
    else request.send(form);
  });
}
