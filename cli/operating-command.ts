import { Command } from 'commander';
import { addConnectionOptions } from './session.js';

export { jsonOption } from './session.js';

/**
 * A command over the HTTP API, with its options for the service, and examples below its help.
 *
 * @param usage the name and its arguments, such as `task <id>`
 */
export function operatingCommand(usage: string, description: string, examples: readonly string[]): Command {
  const [name = '', ...operands] = usage.split(' ');
  const command = new Command(name).description(description).addHelpText('after', exampleText(examples));
  if (operands.length > 0) command.arguments(operands.join(' '));
  return addConnectionOptions(command);
}

export const exampleText = (examples: readonly string[]): string =>
  `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n`;
