import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

/* A set for trying out: an authority of its own, a certificate of the service, and of devices. Not for production. */

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Some clients refuse a longer life. */
const VALID_DAYS = 397;

export interface DevCertificates {
  /** Paths of what was written. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly devices: readonly { readonly name: string; readonly cert: string; readonly key: string }[];
}

interface Holder {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

/**
 * Writes `ca.pem`, `server.pem`, `server.key`, and for each device `<name>.pem` and `<name>.key`; keys with mode 0600.
 *
 * @param hosts names and addresses of the service
 * @param devices `deviceName&productKey`, which their certificates name
 * @throws Error (EEXIST) when a file is there already
 */
export async function createDevCertificates(
  folder: string,
  { hosts, devices = [] }: { readonly hosts: readonly string[]; readonly devices?: readonly string[] },
): Promise<DevCertificates> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = await selfSigned('Ferry development CA');
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, authority.certificate.toString('pem'), { flag: 'wx' });
  const server = await signedBy(authority, `CN=${hosts[0] ?? 'localhost'}`, [
    new SubjectAlternativeNameExtension(hosts.map((host) => ({ type: isIP(host) ? 'ip' : 'dns', value: host }))),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
  ]);
  const written = await write(folder, 'server', server);
  const named: { name: string; cert: string; key: string }[] = [];
  for (const name of devices) {
    const device = await signedBy(
      authority,
      [{ CN: [name] }],
      [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
    );
    named.push({ name, ...(await write(folder, name.replace('&', '.'), device)) });
  }
  return { ca, ...written, devices: named };
}

async function write(
  folder: string,
  name: string,
  { certificate, keys }: Holder,
): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  await writeFile(key, `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`, { flag: 'wx', mode: 0o600 });
  await writeFile(cert, `${certificate.toString('pem')}\n`, { flag: 'wx' });
  return { cert, key };
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

const times = () => {
  const nowMs = Date.now();
  return { notBefore: new Date(nowMs - DAY_MS), notAfter: new Date(nowMs + VALID_DAYS * DAY_MS) };
};
const serialNumber = () => `00${randomBytes(15).toString('hex')}`;

async function selfSigned(name: string): Promise<Holder> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...times(),
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, keys };
}

async function signedBy(
  authority: Holder,
  subject: string | { CN: string[] }[],
  extensions: (SubjectAlternativeNameExtension | ExtendedKeyUsageExtension)[],
): Promise<Holder> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    ...times(),
    serialNumber: serialNumber(),
    subject,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [...extensions, new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)],
  });
  return { certificate, keys };
}
