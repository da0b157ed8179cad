import { createInterface, type Interface } from 'node:readline';
import { interruption, type Io } from './io.js';
import { Interrupted } from './usage-error.js';

/** Whether a person sits at the terminal: a script is never asked. */
export const canAsk = ({ input, err }: Io): boolean => input?.isTTY === true && err.isTTY === true;

/**
 * Asks a question that only "yes" says yes to.
 *
 * @throws Interrupted at Ctrl-C
 */
export async function askYes(io: Io, question: string): Promise<boolean> {
  if (!io.input) return false;
  const { signal, dispose } = interruption(io);
  const lines = createInterface({ input: io.input, terminal: false });
  io.err.write(`${question} Type "yes" to go on: `);
  try {
    const line = await firstLine(lines, signal);
    return line?.trim().toLowerCase() === 'yes';
  } finally {
    lines.close();
    dispose();
  }
}

/** Undefined when the input ends without one. */
const firstLine = (lines: Interface, signal: AbortSignal): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
    signal.addEventListener('abort', () => reject(new Interrupted()), { once: true });
  });
