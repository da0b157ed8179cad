import { ApiError, ApiUnreachableError } from '../api/client.js';
import type { Problem } from '../api/schemas.js';
import { FerryError } from '../domain/errors.js';
import { INTERRUPTED } from './io.js';
import { printable } from './printable.js';
import { CommandFailed, Interrupted, UsageError } from './usage-error.js';

export interface Ending {
  readonly exitCode: 1 | 2 | 130;
  readonly text: string;
  /** The problem document, when there is one: what `--json` shows. */
  readonly problem?: Partial<Problem>;
}

/** How a command ends that threw: its exit code, and what the person at the terminal is told. */
export function endingOf(error: unknown): Ending {
  if (error instanceof Interrupted) return { exitCode: INTERRUPTED, text: 'interrupted' };
  if (error instanceof ApiError) return { exitCode: 1, text: refusalText(error), problem: error.problem };
  if (error instanceof ApiUnreachableError) return { exitCode: 1, text: `${error.message}\n${UNREACHABLE_REMEDY}` };
  if (error instanceof UsageError || error instanceof FerryError) return { exitCode: 2, text: error.message };
  if (error instanceof CommandFailed || isNamed(error, 'StartupError', 'BackupError')) {
    return { exitCode: 1, text: error.message };
  }
  if (isFileError(error)) return { exitCode: 1, text: fileProblem(error) };
  return {
    exitCode: 1,
    text: `Unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  };
}

/** The file system's codes that people meet, in words. */
const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory; name a file',
  ENOTDIR: 'can not exist: a part of its path is a file',
  EEXIST: 'is there already; name another file',
  EACCES: "can't be used: you lack the permission",
  EPERM: "can't be used: you lack the permission",
  EROFS: "can't be written: its disk is read-only",
  ENOSPC: "can't be written: its disk is full",
  ENAMETOOLONG: 'has a name that is too long',
};

const fileProblem = ({ path, code }: { readonly path: string; readonly code: string }): string =>
  `${printable(path)} ${FILE_PROBLEMS[code] ?? "can't be used"} (${code}).`;

const UNREACHABLE_REMEDY = 'Start it with "ferry up" (or "npm start"), or name another address by --url or FERRY_URL.';

/** One sentence with the code; below it, one line per field or device that breaks a rule. */
function refusalText(error: ApiError): string {
  if (error.status === 401) {
    return `The token was refused [unauthorized]. Give one that is good by --token or FERRY_TOKEN.`;
  }
  const lines = [
    ...(error.errors.length > 1 ? error.errors.map(({ field, message }) => `${field}: ${message}`) : []),
    ...(error.problem.devices ?? []).map(({ deviceName, problem }) => `${deviceName}: ${problem}`),
  ];
  return [`${printable(error.detail)} [${error.code}]`, ...lines.map((line) => `  ${printable(line)}`)].join('\n');
}

/** By name: the class comes from a module that is loaded only by the commands that need it. */
const isNamed = (error: unknown, ...names: string[]): error is Error =>
  error instanceof Error && names.includes(error.name);

const isFileError = (error: unknown): error is NodeJS.ErrnoException & { path: string; code: string } =>
  error instanceof Error && 'path' in error && 'code' in error && typeof error.code === 'string';
