import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { createApiClient, type ApiClient } from '../api/client.js';
import type { Io } from './io.js';
import { CommandFailed, UsageError } from './usage-error.js';

/** The heading above the options that each operating command has. */
export const SERVICE_GROUP = 'Service:';
export const DEFAULT_URL = 'http://127.0.0.1:8080';

/** What an operating command works with: the service's API, and a way to answer. */
export interface Session {
  readonly api: ApiClient;
  readonly url: string;
  readonly io: Io;
  readonly isJson: boolean;
  /** The answer of the command: the value itself with `--json`, else its text. */
  answer(value: unknown, text: () => string): void;
  /** A remark on the way; not with `--json`. */
  remark(text: string): void;
}

interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** Answers and errors in JSON. */
export const jsonOption = (): Option => new Option('--json', 'answer in JSON, for programs');

/** The options that each operating command has. */
export const addConnectionOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--url <url>', `address of the service (default: FERRY_URL, else ${DEFAULT_URL})`).helpGroup(
        SERVICE_GROUP,
      ),
    )
    .addOption(
      new Option(
        '--token <token>',
        'token of who asks (default: FERRY_TOKEN, else FERRY_ADMIN_TOKEN, else the file admin-token in FERRY_DATA_DIR)',
      ).helpGroup(SERVICE_GROUP),
    )
    .addOption(jsonOption().helpGroup(SERVICE_GROUP));

/**
 * @param options of a command that was made with `addConnectionOptions`
 * @throws UsageError for an address that is none
 * @throws CommandFailed when there is no token
 */
export function openSession(io: Io, options: object): Session {
  const { url, token, json = false } = options as ConnectionOptions;
  const address = checkedUrl(url ?? set(io.env['FERRY_URL']) ?? DEFAULT_URL);
  return {
    api: createApiClient({ url: address, token: checkedToken(token ?? tokenOf(io.env)) }),
    url: address.replace(/\/$/, ''),
    io,
    isJson: json,
    answer: (value, text) => void io.out.write(`${json ? JSON.stringify(value, null, 2) : text()}\n`),
    remark: (text) => {
      if (!json) io.out.write(`${text}\n`);
    },
  };
}

/** A variable that is empty counts as unset. */
const set = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/** Without the `/v1` of the API, which the start of the service prints as well. @throws UsageError */
function checkedUrl(text: string): string {
  const isAddress = /^https?:\/\//i.test(text) && URL.canParse(text);
  if (!isAddress) throw new UsageError(`--url (FERRY_URL): ${text} is not an http:// or https:// address.`);
  const { origin, pathname, username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '') {
    throw new UsageError(
      `--url (FERRY_URL): the address must not have a user or a password: use ${origin}${pathname}, and give the token by --token or FERRY_TOKEN.`,
    );
  }
  if (search !== '' || hash !== '') {
    throw new UsageError(
      `--url (FERRY_URL): name the address alone, such as ${origin}, without what follows "?" or "#".`,
    );
  }
  return `${origin}${pathname.replace(/\/v1\/?$/, '/')}`;
}

/** @throws UsageError for a token that no header can carry */
function checkedToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(
    '--token (FERRY_TOKEN): the token is empty or has characters that no HTTP header can carry; it must be letters, digits and signs of ASCII, without blanks.',
  );
}

/** What the environment says, else the token that the service left in its data folder. */
function tokenOf(env: NodeJS.ProcessEnv): string {
  const token = set(env['FERRY_TOKEN']) ?? set(env['FERRY_ADMIN_TOKEN']);
  if (token !== undefined) return token;
  const path = join(set(env['FERRY_DATA_DIR']) ?? './data', 'admin-token');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new CommandFailed(
      `There is no token: ${path} can't be read. Give one by --token or FERRY_TOKEN, or set FERRY_DATA_DIR to the service's data folder.`,
    );
  }
}
