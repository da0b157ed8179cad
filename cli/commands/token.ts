import { Argument, Command, Option } from 'commander';
import type { TokenAnswer } from '../../api/schemas.js';
import { Role } from '../../domain/roles.js';
import { parseDuration } from '../durations.js';
import type { Io } from '../io.js';
import { operatingCommand } from '../operating-command.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime } from '../printable.js';
import { openSession } from '../session.js';
import { table } from '../table.js';

export const tokenCommand = (io: Io): Command =>
  new Command('token')
    .description('create, list and revoke tokens of people and programs')
    .addCommand(create(io))
    .addCommand(list(io))
    .addCommand(revoke(io));

interface CreateOptions {
  readonly role: Role;
  readonly product?: string;
  readonly expires?: number;
}

const create = (io: Io): Command =>
  operatingCommand('create', 'create a token; it is shown this once', [
    'ferry token create ada --role operator',
    'ferry token create ci-pipeline --role operator --product thermostat --expires 90d',
  ])
    .argument('<name>', 'of the person or program: what the audit log says')
    .addOption(new Option('--role <role>', 'what it lets do').choices(Object.values(Role)).makeOptionMandatory())
    .option('--product <key>', 'only for this product')
    .option(
      '--expires <duration>',
      'for how long it is good, such as 90d (default: until it is revoked)',
      parseDuration,
    )
    .action(async (name: string, options: CreateOptions) => {
      const session = openSession(io, options);
      const token = await session.api.createToken({
        name,
        role: options.role,
        ...(options.product === undefined ? {} : { productKey: options.product }),
        ...(options.expires === undefined ? {} : { expiresAt: new Date(Date.now() + options.expires).toISOString() }),
      });
      session.answer(
        token,
        () => `${token.token}\n\nKeep it: it is not shown again. (${token.name}, ${token.role}, id ${token.id})`,
      );
    });

/** Also as a command of its own, as `devices` and `tasks` are. */
export const tokensCommand = (io: Io): Command => list(io, 'tokens');

const list = (io: Io, name = 'list'): Command =>
  addPagingOptions(operatingCommand(name, 'list tokens, newest first', ['ferry token list'])).action(
    async (options: PagingOptions) => {
      const session = openSession(io, options);
      const page = await session.api.listTokens(pageOf(options));
      session.answer(page, () =>
        pageText(page, { none: 'There is no token but the one in the data folder.', text: tokensTable }),
      );
    },
  );

const tokensTable = (tokens: readonly TokenAnswer[]): string =>
  table(
    ['name', 'role', 'product', 'id', 'created', 'last used', 'good until'],
    tokens.map((token) => [
      token.name,
      token.role,
      token.productKey ?? 'all',
      token.id,
      localTime(token.createdAt),
      localTime(token.lastUsedAt),
      token.revokedAt === null ? localTime(token.expiresAt) : `revoked ${localTime(token.revokedAt)}`,
    ]),
  );

const revoke = (io: Io): Command =>
  operatingCommand('revoke', 'revoke a token at once', ['ferry token revoke 7k3m9x2p4q8r1s5t'])
    .addArgument(new Argument('<id>', 'id of the token'))
    .action(async (id: string, options: object) => {
      const session = openSession(io, options);
      const token = await session.api.revokeToken(id);
      session.answer(token, () => `The token of ${token.name} is revoked; its sessions and streams have ended.`);
    });
