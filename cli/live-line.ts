import type { Output } from './io.js';

const TERMINAL_MS = 200;
const FILE_MS = 5_000;
const CLEAR_LINE = '\r\u001b[2K';

/** One line that is kept up to date: rewritten on a terminal, repeated when it has changed elsewhere. */
export function liveLine(out: Output, text: () => string): { stop(): void } {
  const isTerminal = out.isTTY === true;
  let last = '';
  const show = () => {
    const now = text();
    if (now === last) return;
    last = now;
    out.write(isTerminal ? `${CLEAR_LINE}${now.slice(0, (out.columns ?? 80) - 1)}` : `${now}\n`);
  };
  const timer = setInterval(show, isTerminal ? TERMINAL_MS : FILE_MS);
  show();
  return {
    stop() {
      clearInterval(timer);
      show();
      if (isTerminal) out.write('\n');
    },
  };
}
