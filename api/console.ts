import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Context } from 'hono';
import { parseAccept } from 'hono/utils/accept';
import { notFound } from '../domain/errors.js';
import type { ApiEnv } from './deps.js';
import { newRouter } from './router.js';

/** Every page of the console: its own router takes over from there (console/app/paths.ts). */
export const CONSOLE_PATHS = [
  '/',
  '/sign-in',
  '/firmware',
  '/firmware/:firmwareId',
  '/tasks',
  '/tasks/:taskId',
  '/devices',
  '/devices/:productKey/:deviceName',
] as const;

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};
/** Stands in the built page wherever the nonce of an answer goes. */
const NONCE_MARK = /__FERRY_NONCE__/g;
/** Stands where the page says below which path it is. */
const BASE_MARK = '__FERRY_BASE__';
/** Links to the built files, which are relative as they are built. */
const RELATIVE_LINK = /(?<= (?:src|href)=")\.\//g;
/** Files are compressed when they are built; browsers offer brotli over https only. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** Styles are made in the browser, each with the nonce; nothing comes from elsewhere. */
const policy = (nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');

/**
 * The operators' console, from the folder it was built into.
 *
 * @param folder has `index.html` and `assets/`
 * @param basePath where a proxy has put the service (base-path.ts)
 */
export function consoleRoutes(folder: string, basePath = '') {
  const router = newRouter();

  router.get('/assets/:file', async (c) => {
    const file = c.req.param('file');
    const type = /^[\w.-]+$/.test(file) ? TYPES[extname(file)] : undefined;
    const found = type === undefined ? undefined : await encoded(c, join(folder, 'assets', file));
    if (!found || type === undefined) throw notFound(`The path ${c.req.path.slice(0, 200)}`);
    // The name has the digest of the content.
    c.header('Cache-Control', 'public, max-age=31536000, immutable');
    c.header('Content-Type', type);
    return c.body(found);
  });

  const page = async (c: Context<ApiEnv>) => {
    const html = await readFile(join(folder, 'index.html'), 'utf8').catch(() => undefined);
    if (html === undefined) throw notFound('The console, which is not built: run npm run build; its files');
    const nonce = randomBytes(16).toString('base64');
    const page = html.replace(NONCE_MARK, nonce).replace(BASE_MARK, basePath).replace(RELATIVE_LINK, `${basePath}/`);
    return c.html(page, 200, {
      'Content-Security-Policy': policy(nonce),
      'Cache-Control': 'no-store',
    });
  };
  for (const path of CONSOLE_PATHS) router.get(path, page);
  return router;
}

async function encoded(c: Context<ApiEnv>, path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const accepted = parseAccept(c.req.header('accept-encoding') ?? '');
  const quality = (encoding: string) =>
    (accepted.find(({ type }) => type.toLowerCase() === encoding) ?? accepted.find(({ type }) => type === '*'))?.q ?? 0;
  c.header('Vary', 'Accept-Encoding');
  for (const [encoding, suffix] of ENCODINGS) {
    if (quality(encoding) === 0) continue;
    const bytes = await contentOf(`${path}${suffix}`);
    if (!bytes) continue;
    c.header('Content-Encoding', encoding);
    return bytes;
  }
  return contentOf(path);
}

const contentOf = (path: string): Promise<Uint8Array<ArrayBuffer> | undefined> =>
  readFile(path).then(
    (bytes) => new Uint8Array(bytes),
    () => undefined,
  );
