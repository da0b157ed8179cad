import type { Output } from './io.js';

const TERMINAL_MS = 1_000;
/** Where lines stay, as in a file. */
const LINES_MS = 30_000;
const START_OF_LINE = '\r\x1b[2K';

/** Says what is waited for, and for how long by now, until it is there. */
export class WaitingLine {
  private message = '';
  private sinceMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly out: Output,
    private readonly indent = '',
  ) {}

  /** Something slow begins. What was waited for before is there. */
  readonly begin = (message: string): void => {
    this.end();
    this.message = message;
    this.sinceMs = Date.now();
    this.out.write(`${this.indent}${message}${this.out.isTTY === true ? '' : '\n'}`);
    this.timer = setInterval(() => this.draw(), this.out.isTTY === true ? TERMINAL_MS : LINES_MS).unref();
  };

  end(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    if (this.out.isTTY === true) this.out.write('\n');
  }

  private draw(): void {
    const line = `${this.indent}${this.message} ${elapsed(Date.now() - this.sinceMs)}`;
    this.out.write(this.out.isTTY === true ? `${START_OF_LINE}${line}` : `${line}\n`);
  }
}

function elapsed(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
