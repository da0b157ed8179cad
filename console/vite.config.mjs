import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Behind `npm run console:dev`. */
const SERVICE = process.env.FERRY_URL ?? 'http://127.0.0.1:8080';
const folder = dirname(fileURLToPath(import.meta.url));

/** The console, as the API serves it (api/console.ts): everything hashed, nothing from elsewhere. */
export default defineConfig({
  root: folder,
  // Relative: the server says below which path it is reached (api/console.ts).
  base: './',
  plugins: [react()],
  // The server puts the nonce of each answer here.
  html: { cspNonce: '__FERRY_NONCE__' },
  build: {
    outDir: join(folder, '..', 'dist', 'console'),
    emptyOutDir: true,
    // Measured by scripts/console-size.mjs.
    manifest: 'manifest.json',
    // An inlined file would be a data: URL, which the policy refuses for scripts and styles.
    assetsInlineLimit: 0,
    target: 'es2022',
    chunkSizeWarningLimit: 1_000,
  },
  server: { proxy: { '/v1': SERVICE, '/healthz': SERVICE } },
});
