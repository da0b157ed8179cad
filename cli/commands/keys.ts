import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { generateSigningKey, keyIdOf } from '../../firmware/signature.js';
import type { Io } from '../io.js';
import { exampleText, jsonOption } from '../operating-command.js';
import { fileWord, shellLine } from '../shell-word.js';
import { CommandFailed } from '../usage-error.js';

interface JsonOption {
  readonly json?: boolean;
}

export const keysCommand = (io: Io): Command =>
  new Command('keys')
    .description('the key that signs firmware, and the keys that seal device secrets')
    .addCommand(generate(io))
    .addCommand(rotateSecrets(io));

const generate = (io: Io): Command =>
  new Command('generate')
    .description('make a key pair that signs firmware; to be done, and kept, where firmware is built')
    .argument('<file>', 'where the private key goes; the public one goes to <file>.pub')
    .addOption(jsonOption())
    .addHelpText('after', exampleText(['ferry keys generate release.key']))
    .action(async (file: string, { json }: JsonOption) => {
      const { privateKey, publicKey } = generateSigningKey();
      // Both are looked at first: half a pair is of no use, and would be in the way of the next one.
      for (const path of [file, `${file}.pub`]) if (existsSync(path)) throw isThere(path);
      await writeFile(file, privateKey, { mode: 0o600, flag: 'wx' });
      await writeFile(`${file}.pub`, `${publicKey}\n`, { flag: 'wx' });
      if (json === true) {
        const made = { keyId: keyIdOf(publicKey), privateKeyFile: file, publicKeyFile: `${file}.pub` };
        io.out.write(`${JSON.stringify(made, null, 2)}\n`);
        return;
      }
      io.out.write(
        `Key ${keyIdOf(publicKey)}: private in ${file}, public in ${file}.pub.\n` +
          `Keep the private one away from the service. Next: ferry product trust PRODUCT ${shellLine(fileWord(`${file}.pub`))}\n`,
      );
    });

const isThere = (file: string): CommandFailed =>
  new CommandFailed(`${file} is there already. Name another file: a key is never overwritten.`);

const rotateSecrets = (io: Io): Command =>
  new Command('rotate')
    .description(
      'add a key that seals device secrets, in the data folder; the next start uses it and forgets the older one',
    )
    .addOption(jsonOption())
    .addHelpText('after', exampleText(['FERRY_DATA_DIR=/srv/ferry ferry keys rotate']))
    .action(async ({ json }: JsonOption) => {
      const { loadConfig } = await import('../../worker/config.js');
      const { addSecretKey } = await import('../../worker/secret-keys.js');
      const { paths, secretKeys } = loadConfig(io.env);
      if (secretKeys !== undefined) {
        throw new CommandFailed(
          'FERRY_SECRET_KEY is set: put a new key before the old one there, separated by a comma.',
        );
      }
      addSecretKey(paths.secretKeys);
      io.out.write(
        json === true
          ? `${JSON.stringify({ file: paths.secretKeys }, null, 2)}\n`
          : `A new key is in ${paths.secretKeys}. Restart the service: it seals every secret by it.\n`,
      );
    });
