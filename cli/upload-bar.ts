import cliProgress from 'cli-progress';
import type { Output } from './io.js';
import { size } from './printable.js';

/** An upload's progress on a terminal; elsewhere nothing. */
export function uploadBar(out: Output) {
  if (out.isTTY !== true) return undefined;
  const bar = new cliProgress.SingleBar(
    {
      format: 'uploading {bar} {percentage} % of {size}',
      stream: out as NodeJS.WritableStream,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  let isStarted = false;
  return {
    show: (sentBytes: number, totalBytes: number): void => {
      if (!isStarted) bar.start(totalBytes, 0, { size: size(totalBytes) });
      isStarted = true;
      bar.update(sentBytes);
    },
    stop: () => bar.stop(),
  };
}
