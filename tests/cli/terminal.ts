import { EventEmitter, once } from 'node:events';
import type { Io } from '../../cli/io.js';
import { runCli, type ProgramOptions } from '../../cli/program.js';

export interface Result {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** Keeps what commands write; its standard error may be a terminal that a person sees. */
export class Terminal {
  out = '';
  err = '';
  readonly signals = new EventEmitter();
  readonly exits: number[] = [];
  private readonly written = new EventEmitter();

  constructor(
    readonly env: NodeJS.ProcessEnv = {},
    private readonly isTTY = false,
  ) {}

  /** Runs a command line, given as words. @param input where a person types, at a real terminal */
  async run(words: readonly string[], options: Partial<ProgramOptions> = {}, input?: Io['input']): Promise<Result> {
    const io: Io = {
      out: { write: (text: string) => this.write('out', text) },
      err: { write: (text: string) => this.write('err', text), isTTY: this.isTTY || input !== undefined },
      ...(input ? { input } : {}),
      env: this.env,
      signals: this.signals,
      exitNow: (code: number) => void this.exits.push(code),
    };
    const exitCode = await runCli(words, io, options);
    return { exitCode, out: this.out, err: this.err };
  }

  /** Resolves when a command has written that, so many times. */
  async shows(text: string, times = 1): Promise<void> {
    while ((this.out + this.err).split(text).length <= times) await once(this.written, 'text');
  }

  interrupt(): void {
    this.signals.emit('SIGINT');
  }

  private write(to: 'out' | 'err', text: string): void {
    this[to] += text;
    this.written.emit('text');
  }
}

/** One command line, written as in a shell without quotes. */
export const ferry = (line: string, env: NodeJS.ProcessEnv = {}): Promise<Result> =>
  new Terminal(env).run(line.split(' ').filter((word) => word !== ''));
