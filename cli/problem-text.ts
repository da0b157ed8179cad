import { ApiError, ApiUnreachableError } from '../api/client.js';
import type { Problem } from '../api/schemas.js';
import type { NoAnswerReason } from '../api/unreachable.js';
import { FerryError } from '../domain/errors.js';
import { fieldText, refusedText } from './cli-words.js';
import { INTERRUPTED } from './io.js';
import { printable } from './printable.js';
import { CommandFailed, Interrupted, TaskNotSucceeded, UsageError } from './usage-error.js';

export interface Ending {
  readonly exitCode: 1 | 2 | 3 | 4 | 130;
  /** Null: all has been said. */
  readonly text: string | null;
  /** What `--json` shows: the problem document of the service, or one in its form. */
  readonly problem: Partial<Problem> | { readonly code: string; readonly detail: string };
}

/** How a command ends that threw: its exit code, and what the person at the terminal is told. */
export function endingOf(error: unknown): Ending {
  if (error instanceof ApiError && error.problem.code !== undefined) {
    return { exitCode: 1, text: refusalText(error), problem: error.problem };
  }
  const [exitCode, code, text] = ownEnding(error);
  return { exitCode, text, problem: { code, detail: text ?? '' } };
}

/** The codes are the command's own; those of the service are in its problem documents. */
function ownEnding(error: unknown): [exitCode: Ending['exitCode'], code: string, text: string | null] {
  if (error instanceof Interrupted) return [INTERRUPTED, 'interrupted', 'interrupted'];
  if (error instanceof TaskNotSucceeded) return [error.exitCode, 'task-not-succeeded', null];
  if (error instanceof ApiError) return [1, 'not-ferry', foreignText(error)];
  if (error instanceof ApiUnreachableError) return [1, 'no-answer', `${error.message}\n${REMEDIES[error.reason]}`];
  if (error instanceof UsageError || error instanceof FerryError) return [2, 'usage', error.message];
  if (error instanceof CommandFailed || isNamed(error, 'StartupError', 'BackupError'))
    return [1, 'failed', error.message];
  if (isFileError(error)) return [1, 'file', fileProblem(error)];
  return [1, 'unexpected', `Unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
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

const START = 'Start it with "ferry up" (or "npm start"), or name another address by --url or FERRY_URL.';
const REMEDIES: Readonly<Record<NoAnswerReason, string>> = {
  refused: START,
  unknown: START,
  'unknown-host': 'Check the name in --url or FERRY_URL.',
  certificate:
    'Trust its authority: NODE_EXTRA_CA_CERTS=<file> ferry …, where the file is ca.pem of "ferry tls create", or the one of your own authority.',
  'plain-http':
    'Name it with http:// by --url or FERRY_URL, or let Ferry speak TLS (FERRY_TLS_CERT and FERRY_TLS_KEY).',
  'not-http':
    'A port that speaks TLS is named with https://, another one with http://. The port of MQTT is none for commands.',
  'out-of-reach': 'Check the address in --url or FERRY_URL, and what lies between: networks, firewalls, a proxy.',
  'forbidden-port':
    'Start it with "ferry up" on another port (FERRY_HTTP_PORT), or name another one by --url or FERRY_URL.',
  redirect:
    'Name that address by --url or FERRY_URL: redirects are not followed, since the token would not go with them.',
  'not-ferry': 'Name the address of Ferry by --url or FERRY_URL.',
};

/** One sentence with the code; below it, one line per field or device that breaks a rule. */
function refusalText(error: ApiError): string {
  if (error.status === 401) {
    return `The token was refused [unauthorized]. Give one that is good by --token or FERRY_TOKEN.`;
  }
  const lines = [
    ...(error.errors.length > 1 ? error.errors.map(fieldText) : []),
    ...(error.problem.devices ?? []).map(({ deviceName, problem }) => `${deviceName}: ${problem}`),
  ];
  return [refusedText({ ...error.problem, detail: error.detail }), ...lines.map((line) => `  ${printable(line)}`)].join(
    '\n',
  );
}

/** A status without a problem document: that is another server, or a proxy in front of Ferry. */
const foreignText = ({ status }: ApiError): string =>
  status >= 502 && status <= 504
    ? `A proxy answers ${status} in place of Ferry.\nIs Ferry running behind it? ${START}`
    : `Something answers at that address with ${status}, but not as Ferry does.\n${REMEDIES['not-ferry']}`;

/** By name: the class comes from a module that is loaded only by the commands that need it. */
const isNamed = (error: unknown, ...names: string[]): error is Error =>
  error instanceof Error && names.includes(error.name);

const isFileError = (error: unknown): error is NodeJS.ErrnoException & { path: string; code: string } =>
  error instanceof Error && 'path' in error && 'code' in error && typeof error.code === 'string';
