import { Option, type Command } from 'commander';
import { eachItem, type ApiClient } from '../api/client.js';
import type { FirmwareAnswer } from '../api/schemas.js';
import { versionProblem } from '../domain/names.js';
import { parseList } from './names-list.js';
import { shellLine } from './shell-word.js';
import { CommandFailed, UsageError } from './usage-error.js';

export interface SourceVersionsOptions {
  readonly from?: readonly string[];
  readonly fromVersion?: readonly string[];
}

/** Kept as they were written, until it is known which versions devices run. */
const moreLists = (text: string, before: readonly string[] = []): string[] => {
  parseList(text);
  return [...before, text];
};
const more = (text: string, before: readonly string[] = []): string[] => [...before, text];

export const addSourceVersionsOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--from <versions>',
        'source versions: a,b,c; no other open batch may name them; may be repeated (this or --from-version is required)',
      ).argParser(moreLists),
    )
    .addOption(
      new Option(
        '--from-version <version>',
        'one source version, taken as it is: for one that has a comma; may be repeated',
      ).argParser(more),
    );

/**
 * The versions that `--from` and `--from-version` name. Versions are free text and may have a comma; so a list is taken
 * apart only where that can't mean other devices than the operator has named.
 *
 * @throws UsageError for what is no version; CommandFailed when it is in doubt whether a comma separates two versions or belongs to one
 */
export async function sourceVersions(
  api: Pick<ApiClient, 'listVersions'>,
  { productKey, module }: Pick<FirmwareAnswer, 'productKey' | 'module'>,
  { from = [], fromVersion = [] }: SourceVersionsOptions,
): Promise<string[]> {
  const lists = from.filter((text) => text.includes(','));
  const running: string[] = [];
  if (lists.length > 0) {
    const versions = eachItem((page) => api.listVersions(productKey, { module, ...page }));
    for await (const { version } of versions) if (version !== null) running.push(version);
  }
  for (const text of lists) {
    const doubt = doubtOf(text, running);
    if (doubt === undefined) continue;
    const several = parseList(text).flatMap((version) => ['--from-version', version]);
    throw new CommandFailed(
      `--from "${text}" can mean several versions, or one with a comma in it: ${doubt}. Say which is meant:\n` +
        `  ${shellLine(...several)}\n  ${shellLine('--from-version', text)}`,
    );
  }
  const versions = [...new Set([...from.flatMap(parseList), ...fromVersion])];
  checkVersions(versions);
  return versions;
}

function doubtOf(text: string, running: readonly string[]): string | undefined {
  const listed = apart(text);
  const known = running.find((version) => version.includes(',') && listed.includes(apart(version)));
  if (known !== undefined) return `devices of the product run the version "${known}"`;
  // `3,1` is how many countries write a number.
  const number = parseList(text).find((part) => /^\d+$/.test(part));
  return number === undefined ? undefined : `"${number}" can be a part of a number`;
}

/** The parts of a list, each between two commas, without blanks around them. */
const apart = (text: string): string =>
  `,${text
    .split(',')
    .map((part) => part.trim())
    .join(',')},`;

function checkVersions(versions: readonly string[]): void {
  const problems = versions.flatMap((version) => {
    const problem = versionProblem(version);
    return problem === undefined ? [] : [`  "${version}" ${problem}`];
  });
  if (problems.length > 0) throw new UsageError(`--from: no version is written like that:\n${problems.join('\n')}`);
}
