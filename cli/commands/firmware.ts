import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { Command, Option } from 'commander';
import type { FirmwareAnswer } from '../../api/schemas.js';
import {
  DEFAULT_MODULE,
  moduleProblem,
  productKeyProblem,
  signatureProblem,
  versionProblem,
} from '../../domain/names.js';
import { keyIdOf, signFirmware, type SignedFirmware } from '../../firmware/signature.js';
import {
  addFirmwareArgument,
  findFirmware,
  firmwareName,
  firmwareWords,
  type FirmwarePlace,
} from '../firmware-name.js';
import { readBytes, readText } from '../input-file.js';
import { saveFile } from '../new-file.js';
import type { Io } from '../io.js';
import { verificationText } from '../last-verification.js';
import { exampleText, jsonOption, operatingCommand } from '../operating-command.js';
import { writeOutputFile } from '../output-file.js';
import { addPagingOptions, pageOf, pageText, type PagingOptions } from '../paging.js';
import { localTime, size } from '../printable.js';
import { openSession } from '../session.js';
import { fileWord, shellLine } from '../shell-word.js';
import { pairs, table } from '../table.js';
import { uploadBar } from '../upload-bar.js';
import { CommandFailed, UsageError } from '../usage-error.js';

export const firmwareCommand = (io: Io): Command =>
  new Command('firmware')
    .description('add, list, show, download, sign and delete firmware')
    .addCommand(add(io))
    .addCommand(list(io))
    .addCommand(show(io))
    .addCommand(download(io))
    .addCommand(sign(io))
    .addCommand(remove(io));

interface AddOptions {
  readonly product: string;
  readonly version: string;
  readonly name?: string;
  readonly module?: string;
  readonly signMethod: 'MD5' | 'SHA256';
  readonly signature?: string;
}

const add = (io: Io): Command =>
  operatingCommand('add', 'add a firmware: upload its file', [
    'ferry firmware add build/main.bin --product thermostat --version 2.0.0',
    'ferry firmware add mcu.bin --product thermostat --version 7 --module MCU --name mcu --sign-method MD5',
  ])
    .argument('<file>', 'the firmware file')
    .requiredOption('--product <key>', 'product that it is for')
    .requiredOption('--version <version>', 'version that devices report once they run it')
    .option('--name <name>', 'letters, digits, underscores, Chinese characters (default: from the file name)')
    .option('--module <module>', 'module of the device (default: "default")')
    .addOption(
      new Option('--sign-method <method>', 'digest that devices check').choices(['MD5', 'SHA256']).default('SHA256'),
    )
    .option('--signature <file>', 'file with its signature, as "ferry firmware sign" has made it')
    .action(async (file: string, options: AddOptions) => {
      const session = openSession(io, options);
      const bar = session.isJson ? undefined : uploadBar(io.err);
      const firmware = await session.api
        .addFirmware({
          file,
          name: options.name ?? nameFrom(file),
          productKey: options.product,
          version: options.version,
          signMethod: options.signMethod,
          ...(options.signature === undefined ? {} : { signature: await signatureIn(options.signature) }),
          ...(options.module === undefined ? {} : { module: options.module }),
          ...(bar ? { onProgress: bar.show } : {}),
        })
        .finally(() => bar?.stop());
      const words = session.isJson ? '' : await firmwareWords(session.api, firmware);
      session.answer(
        firmware,
        () =>
          `${firmwareName(firmware)} added: ${firmware.id}, ${size(firmware.sizeBytes)}, ${firmware.signMethod} ${firmware.sign}\n` +
          `Try it on a few devices next: ferry verify ${words} --devices …`,
      );
    });

/** @throws CommandFailed when the file holds something else */
async function signatureIn(path: string): Promise<string> {
  const signature = (await readText(path)).trim();
  if (signatureProblem(signature) === undefined) return signature;
  throw new CommandFailed(`${path} is no signature: name the file that "ferry firmware sign" has made.`);
}

const download = (io: Io): Command =>
  addFirmwareArgument(
    operatingCommand('download', 'get the stored file of a firmware back; a file that is there is never overwritten', [
      'ferry firmware download main@2.0.0 --out main-2.0.0.bin',
    ]),
  )
    .requiredOption('--out <file>', 'where the file goes')
    .action(async (which: string, options: FirmwarePlace & { readonly out: string }) => {
      const session = openSession(io, options);
      const firmware = await findFirmware(session.api, which, options);
      await saveFile(options.out, session.api.firmwareFile(firmware.id), firmware.sha256);
      session.answer(
        { file: options.out, sizeBytes: firmware.sizeBytes, sha256: firmware.sha256 },
        () => `${firmwareName(firmware)} is in ${options.out}: ${size(firmware.sizeBytes)}, SHA-256 ${firmware.sha256}`,
      );
    });

interface SignOptions {
  readonly key: string;
  readonly product: string;
  readonly version: string;
  readonly module: string;
  readonly out?: string;
  readonly json?: boolean;
}

const sign = (io: Io): Command =>
  new Command('sign')
    .description('sign a firmware; needs no service: to be done where the private key is')
    .argument('<file>', 'the firmware file')
    .requiredOption('--key <file>', 'the private key, as "ferry keys generate" has made it')
    .requiredOption('--product <key>', 'product that it is for')
    .requiredOption('--version <version>', 'its version')
    .option('--module <module>', 'module of the device', 'default')
    .option('--out <file>', 'new file for the signature (default: <file>.sig)')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      exampleText(['ferry firmware sign main.bin --key release.key --product thermostat --version 2.0.0']),
    )
    .action(async (file: string, { key, product, version, module, out = `${file}.sig`, json }: SignOptions) => {
      const bytes = await readBytes(file);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const statement = { productKey: product, module, version, sizeBytes: bytes.length, sha256 };
      checkStatement({ productKey: product, module, version });
      const { signature, publicKey } = signedBy(key, await readText(key), statement);
      await writeOutputFile(out, `${signature}\n`, [file, key]);
      if (json === true) {
        const signed = { ...statement, keyId: keyIdOf(publicKey), signature, file: out };
        io.out.write(`${JSON.stringify(signed, null, 2)}\n`);
        return;
      }
      io.out.write(
        `Signed by key ${keyIdOf(publicKey)}: ${out}\n` +
          `Next: ferry firmware add ${shellLine(fileWord(file), '--product', product, '--version', version, ...(module === DEFAULT_MODULE ? [] : ['--module', module]), '--signature', out)}\n`,
      );
    });

/** What no device can report, and no product can be, is not worth a signature. @throws UsageError */
function checkStatement({
  productKey,
  module,
  version,
}: Pick<SignedFirmware, 'productKey' | 'module' | 'version'>): void {
  const problems = [
    ['--product', productKeyProblem(productKey)],
    ['--module', moduleProblem(module)],
    ['--version', versionProblem(version)],
  ].filter(([, problem]) => problem !== undefined);
  if (problems.length > 0) throw new UsageError(problems.map(([flag, problem]) => `${flag}: ${problem}`).join('\n  '));
}

function signedBy(path: string, pem: string, statement: SignedFirmware): ReturnType<typeof signFirmware> {
  try {
    return signFirmware(pem, statement);
  } catch {
    // What OpenSSL says of it helps nobody.
    throw new CommandFailed(
      `${path} is no private key that signs firmware: it must be an Ed25519 key in PEM without a passphrase, as "ferry keys generate" makes it.`,
    );
  }
}

/** The file's own name as far as the rule for names allows it. */
const nameFrom = (file: string): string =>
  basename(file, extname(file))
    .replaceAll(/[^\p{Script=Han}A-Za-z0-9_]/gu, '_')
    .slice(0, 32);

const list = (io: Io): Command =>
  addPagingOptions(
    operatingCommand('list', 'list firmware, newest first, and how much of the quota is used', [
      'ferry firmware list --product thermostat',
    ]),
  )
    .option('--product <key>', 'only of this product')
    .action(async (options: PagingOptions & { product?: string }) => {
      const session = openSession(io, options);
      const filter = options.product === undefined ? {} : { productKey: options.product };
      const page = await session.api.listFirmware({ ...pageOf(options), ...filter });
      const { used, max } = page.quota;
      session.answer(
        page,
        () =>
          `${pageText(page, { none: 'There is no firmware yet: ferry firmware add FILE …', text: firmwareTable })}\n\n` +
          `${used} of ${max} firmware used, deleted ones counted.`,
      );
    });

const firmwareTable = (items: readonly FirmwareAnswer[]): string =>
  table(
    ['firmware', 'id', 'product', 'module', 'status', 'last verification', 'size', 'open tasks', 'added'],
    items.map((firmware) => [
      firmwareName(firmware),
      firmware.id,
      firmware.productKey,
      firmware.module,
      firmware.status,
      verificationText(firmware.lastVerification),
      size(firmware.sizeBytes),
      firmware.openTasks,
      localTime(firmware.createdAt),
    ]),
  );

const show = (io: Io): Command =>
  addFirmwareArgument(operatingCommand('show', 'a firmware in full', ['ferry firmware show main@2.0.0'])).action(
    async (named: string, options: FirmwarePlace) => {
      const session = openSession(io, options);
      const firmware = await findFirmware(session.api, named, options);
      session.answer(firmware, () =>
        pairs([
          ['firmware', firmwareName(firmware)],
          ['id', firmware.id],
          ['product', firmware.productKey],
          ['module', firmware.module],
          ['status', firmware.status],
          ['size', `${size(firmware.sizeBytes)} (${firmware.sizeBytes} bytes)`],
          [firmware.signMethod, firmware.sign],
          ['signed by', firmware.signature?.keyId ?? 'nobody'],
          ['open tasks', firmware.openTasks],
          ['added', localTime(firmware.createdAt)],
          ['verified', localTime(firmware.verifiedAt)],
          ['last verification', lastVerification(firmware)],
          ...(firmware.deletedAt === null ? [] : ([['deleted', localTime(firmware.deletedAt)]] as const)),
        ]),
      );
    },
  );

function lastVerification({ lastVerification: last }: FirmwareAnswer): string | null {
  return last === null ? null : `${verificationText(last) ?? ''} (task ${last.taskId})`;
}

const remove = (io: Io): Command =>
  addFirmwareArgument(
    operatingCommand('delete', 'delete a firmware that no open task uses; it stays counted in the quota', [
      'ferry firmware delete main@2.0.0',
    ]),
  ).action(async (named: string, options: FirmwarePlace) => {
    const session = openSession(io, options);
    const { id } = await findFirmware(session.api, named, options);
    const firmware = await session.api.deleteFirmware(id);
    session.answer(firmware, () => `${firmwareName(firmware)} deleted.`);
  });
