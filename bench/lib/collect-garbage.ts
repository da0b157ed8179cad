import { writeFileSync } from 'node:fs';

/*
 * Preloaded into a process that is measured: when it is told to, it collects its garbage and notes how large its heap is
 * then, in the file that its own address names.
 */

const note = new URL(import.meta.url).searchParams.get('note') ?? '';

process.on('SIGUSR2', () => {
  globalThis.gc?.();
  writeFileSync(note, String(process.memoryUsage().heapUsed));
});
