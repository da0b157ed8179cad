import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { parseList } from '../names-list.js';
import { exampleText, jsonOption } from '../operating-command.js';
import { CommandFailed } from '../usage-error.js';

interface CreateOptions {
  readonly out: string;
  readonly hosts: readonly string[];
  readonly devices?: readonly string[];
  readonly json?: boolean;
}

export const tlsCommand = (io: Io): Command =>
  new Command('tls').description('certificates for trying out TLS').addCommand(create(io));

const create = (io: Io): Command =>
  new Command('create')
    .description('make a development set: an authority, a certificate of the service, and of devices')
    .option('--out <folder>', 'where to', './tls')
    .addOption(
      new Option('--hosts <names>', 'names and addresses of the service: a,b,c')
        .argParser(parseList)
        .default(['localhost', '127.0.0.1'], 'localhost,127.0.0.1'),
    )
    .option('--devices <names>', 'devices that get a certificate: DEVICE&PRODUCT,…', parseList)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      exampleText(['ferry tls create', "ferry tls create --hosts ferry.local,10.0.0.5 --devices 'T-0001&thermostat'"]),
    )
    .action(async ({ out, hosts, devices = [], json }: CreateOptions) => {
      const { createDevCertificates } = await import('../../worker/dev-certificates.js');
      const made = await createDevCertificates(out, { hosts, devices }).catch((error: unknown) => {
        if ((error as { code?: string }).code !== 'EEXIST') throw error;
        throw new CommandFailed(`${out} holds certificates already. Name another folder by --out, or delete them.`);
      });
      if (json === true) {
        io.out.write(`${JSON.stringify(made, null, 2)}\n`);
        return;
      }
      io.out.write(
        [
          `Certificates are in ${out}, good for a year, for development only. Start the service with`,
          `  FERRY_TLS_CERT=${made.cert} FERRY_TLS_KEY=${made.key} ferry up`,
          ...(devices.length === 0 ? [] : [`and, for the devices' own certificates, FERRY_TLS_CLIENT_CA=${made.ca}`]),
          `Clients trust it by ${made.ca}: NODE_EXTRA_CA_CERTS=${made.ca} ferry --help, curl --cacert ${made.ca}`,
          '',
        ].join('\n'),
      );
    });
