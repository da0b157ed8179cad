import { createReadStream, statSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createDownloadHandler } from '../../api/downloads.js';
import { createDownloadTokens } from '../../firmware/download-token.js';
import { openLocalStore } from '../../firmware/local-store.js';
import type { OpenDeviceUpdate } from '../../records/records.js';

const [, , which, file = '', folder = ''] = process.argv;

const listener = which === 'ferry' ? await ferry() : bare();
const server = createServer(listener.answer);
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${listener.path}` });
});

function bare(): { readonly answer: RequestListener; readonly path: string } {
  return {
    path: '/firmware.bin',
    answer: (_request, response) => {
      response.writeHead(200, { 'Content-Length': statSync(file).size });
      createReadStream(file).pipe(response);
    },
  };
}

/** The handler and the store of the service; the records are one update that is open. */
async function ferry(): Promise<{ readonly answer: RequestListener; readonly path: string }> {
  const store = await openLocalStore(join(folder, 'files'));
  const upload = await store.put(createReadStream(file), 2 ** 30);
  await upload.keep();
  const update = {
    record: { id: 1, status: 'upgrading', startedAtMs: Date.now(), cancelRequestedAtMs: null },
    firmware: { version: '2.0.0', sizeBytes: upload.sizeBytes, sha256: upload.sha256 },
    task: {
      ...{ status: 'running', pausedCause: null, needsApproval: false, approval: null },
      ...{ cancelRequestedAtMs: null, endRequestedAtMs: null },
    },
    ...{ isDeviceRevoked: false, installedVersion: '1.0.0', reportedFailure: null },
  } as unknown as OpenDeviceUpdate;
  const tokens = createDownloadTokens('key');
  const silent = () => undefined;
  const handler = createDownloadHandler({
    records: { getDeviceUpdateById: () => Promise.resolve(update), downloading: () => Promise.resolve() },
    ...{ store, tokens, perMinute: 1e9 },
    log: { debug: silent, info: silent, warn: silent, error: silent } as never,
  });
  return {
    path: `/files/${tokens.mint({ deviceUpdateId: 1, expiresAtMs: Date.now() + 3_600_000 })}`,
    answer: (request, response) => void handler(request, response),
  };
}
