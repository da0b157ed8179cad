import { BASE_PATH } from '../app/base-path.js';
import { ApiError, ApiUnreachableError, createClientCore } from '../../api/client-core.js';

/** The header is what no page from elsewhere can send along with the session cookie (api/sessions.ts). */
export const CONSOLE_HEADERS = { 'x-ferry-console': '1' } as const;

/** The API, as the person who is signed in. */
export const api = createClientCore({ url: `${window.location.origin}${BASE_PATH}`, headers: CONSOLE_HEADERS });

export const isUnreachable = (error: unknown): boolean =>
  error instanceof ApiUnreachableError || (error instanceof ApiError && error.status >= 502 && error.status <= 504);
export const isSignedOut = (error: unknown): boolean => error instanceof ApiError && error.status === 401;
