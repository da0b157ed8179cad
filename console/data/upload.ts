import { ApiError, ApiUnreachableError, problemOf } from '../../api/client-core.js';
import type { FirmwareAnswer } from '../../api/schemas.js';
import { BASE_PATH } from '../app/base-path.js';
import { CONSOLE_HEADERS } from './client.js';
import type { NewFirmware } from './firmware.js';

/**
 * Sends a firmware file, telling how far it is; `fetch` can't tell.
 *
 * @throws ApiError for a refusal, ApiUnreachableError when there is no answer, DOMException `AbortError` when aborted
 */
export function uploadFirmware({ file, idempotencyKey, onProgress, signal, ...fields }: NewFirmware): Promise<FirmwareAnswer> {
  const form = new FormData();
  // Fields first: the server checks them before it takes the file.
  for (const [name, value] of Object.entries<string | undefined>(fields)) if (value !== undefined) form.set(name, value);
  form.set('file', file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${BASE_PATH}/v1/firmware`);
    const headers = { ...CONSOLE_HEADERS, 'idempotency-key': idempotencyKey };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(loaded, total);
    request.onerror = () => reject(new ApiUnreachableError('The server did not answer.'));
    request.onabort = () => reject(new DOMException('The upload was cancelled.', 'AbortError'));
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as FirmwareAnswer);
      const text = () => Promise.resolve(request.responseText);
      void problemOf({ text }).then((problem) => reject(new ApiError(request.status, problem)));
    };
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    if (signal?.aborted) request.abort();
    else request.send(form);
  });
}
