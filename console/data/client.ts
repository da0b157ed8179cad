import { BASE_PATH } from '../app/base-path.js';
import { ApiError, ApiUnreachableError, createClientCore } from '../../api/client-core.js';

/** The header is what no page from elsewhere can send along with the session cookie (api/sessions.ts). */
export const CONSOLE_HEADERS = { 'x-ferry-console': '1' } as const;

/** A server that has not answered by then counts as away. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** The API, as the person who is signed in. */
export const api = createClientCore({
  url: `${window.location.origin}${BASE_PATH}`,
  headers: CONSOLE_HEADERS,
  timeoutMs: REQUEST_TIMEOUT_MS,
});

export const isUnreachable = (error: unknown): boolean =>
  error instanceof ApiUnreachableError || (error instanceof ApiError && error.status >= 502 && error.status <= 504);
/** Of somebody whose session has ended, it may mean the same as 401: too many such requests came from their address. */
export const isHeldBack = (error: unknown): boolean => error instanceof ApiError && error.status === 429;
/** It may have been done: the server has not said that it was not. */
export const isUndecided = (error: unknown): boolean => !(error instanceof ApiError) || error.status >= 500;
/** Asking again later may help. */
export const isPassing = (error: unknown): boolean => isUndecided(error) || isHeldBack(error);
export const isSignedOut = (error: unknown): boolean => error instanceof ApiError && error.status === 401;
