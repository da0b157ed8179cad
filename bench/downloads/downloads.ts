import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CpuMeter, residentMb } from '../lib/process.js';

export interface DownloadOptions {
  readonly downloads: number;
  readonly bytes: number;
}

/** One file to many at once: by Ferry's download handler and store, or by `node:http` and a stream, in a process of its own. */
export async function runDownloads(server: 'ferry' | 'bare', { downloads, bytes }: DownloadOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-files-'));
  const file = join(folder, 'firmware.bin');
  await writeFile(file, Buffer.alloc(bytes, 7));
  const child = fork(join(import.meta.dirname, 'download-process.mjs'), [server, file, folder]);
  try {
    const [{ url }] = (await once(child, 'message')) as [{ url: string }];
    await fetchAll(url, 2); // the digest is checked once
    const pid = child.pid ?? 0;
    const before = residentMb(pid);
    const meter = new CpuMeter({ server: pid });
    const startedMs = performance.now();
    const received = await fetchAll(url, downloads);
    const seconds = (performance.now() - startedMs) / 1_000;
    if (received !== downloads * bytes) throw new Error(`Only ${received} bytes came`);
    return {
      'MB/s': received / 1e6 / seconds,
      'CPU ms/download': (1_000 * meter.read().server) / downloads,
      'grown by MB': residentMb(pid, 'VmHWM') - before,
    };
  } finally {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchAll(url: string, count: number): Promise<number> {
  const sizes = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<number>((resolve, reject) => {
          get(url, { agent: false }, (response) => {
            let size = 0;
            response.on('data', (piece: Buffer) => (size += piece.length));
            response.on('end', () => resolve(size));
            response.on('error', reject);
          }).on('error', reject);
        }),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
