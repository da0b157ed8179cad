import { styleText } from 'node:util';
import type { Output } from '../io.js';

export const INDENT = '      ';

/** The demo's account on the terminal: numbered steps, with what happens and why below each. */
export class Screen {
  private step = 0;

  constructor(
    readonly out: Output,
    private readonly steps: number,
  ) {}

  title(text: string): void {
    this.out.write(`\n${this.bold(text)}\n`);
  }

  next(text: string): void {
    this.step++;
    this.out.write(`\n${this.bold(`${`${this.step}/${this.steps}`.padEnd(INDENT.length)}${text}`)}\n`);
  }

  /** A paragraph, broken at blanks. */
  say(text: string): void {
    this.show(text.split('\n').map(wrapped).join('\n'));
  }

  /** Text whose lines stay as they are, such as a table. */
  show(text: string): void {
    const lines = text.split('\n').map((line) => (line === '' ? '' : INDENT + line));
    this.out.write(`${lines.join('\n')}\n`);
  }

  private bold(text: string): string {
    return this.out.isTTY === true ? styleText('bold', text) : text;
  }
}

const WIDTH = 100;

const wrapped = (line: string): string => line.replaceAll(new RegExp(`(.{1,${WIDTH}})( +|$)`, 'g'), '$1\n').trimEnd();
