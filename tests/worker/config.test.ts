import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig, loadConfigToStart } from '../../worker/config.js';
import { VARIABLES } from '../../worker/environment.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';

const ANY_PORTS = { FERRY_HTTP_PORT: '0', FERRY_TEMPORAL_PORT: '0', FERRY_TEMPORAL_UI_PORT: '0' };

function refusalOf(env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(env);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const startRefusalOf = (env: NodeJS.ProcessEnv): Promise<string> =>
  loadConfigToStart(env).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );

async function occupiedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(loadConfig({})).toMatchObject({
      host: '127.0.0.1',
      httpPort: 8080,
      mqttPort: 1883,
      temporal: { address: undefined, port: 7233, uiPort: 8233, retentionDays: 90 },
      durability: 'process',
      retention: { recordsDays: null, at: { hour: 3, minute: 0 } },
      firmwareLimits: { nameCharactersMax: 32, fileBytesMax: 10 * 1024 * 1024, firmwareMax: 100 },
    });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ FERRY_HTTP_PORT: '', TEMPORAL_ADDRESS: '' })).toMatchObject({ httpPort: 8080 });
  });

  it('names every variable that is wrong in one message', () => {
    const env = {
      FERRY_HTTP_PORT: 'eighty',
      FERRY_MQTT_PORT: '70000',
      FERRY_PUBLIC_URL: 'ftp://x',
      FERRY_DURABILITY: 'eternal',
      FERRY_ADMIN_TOKEN: 'short',
      DATABASE_URL: 'postgres://x',
    };
    const message = (() => {
      try {
        loadConfig(env);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    for (const name of Object.keys(env)) expect(message).toContain(name);
    expect(message).not.toContain('short');
  });

  it('deletes records only when it is told after how many days', () => {
    const env = { FERRY_RECORDS_DAYS: '90', FERRY_RETENTION_AT: '22:05' };
    expect(loadConfig(env)).toMatchObject({ retention: { recordsDays: 90, at: { hour: 22, minute: 5 } } });
    expect(() => loadConfig({ FERRY_RECORDS_DAYS: '0' })).toThrow('FERRY_RECORDS_DAYS: must be at least 1');
    expect(() => loadConfig({ FERRY_RETENTION_AT: '24:00' })).toThrow('FERRY_RETENTION_AT: must be a local time');
  });

  it('asks for the public URL when the service listens on every address: devices download from it', () => {
    expect(() => loadConfig({ FERRY_HOST: '0.0.0.0', FERRY_INSECURE: '1' })).toThrow('FERRY_PUBLIC_URL');
    const env = { FERRY_HOST: '0.0.0.0', FERRY_INSECURE: '1', FERRY_PUBLIC_URL: 'http://updates.example/' };
    expect(loadConfig(env)).toMatchObject({ publicUrl: 'http://updates.example' });
  });

  it('lets strangers listen in only when that is asked for', () => {
    const open = { FERRY_HOST: '192.0.2.1' };
    const tls = { FERRY_TLS_CERT: 'c.pem', FERRY_TLS_KEY: 'k.pem' };
    expect(() => loadConfig(open)).toThrow('FERRY_INSECURE=1');
    expect(loadConfig({ ...open, FERRY_INSECURE: '1' })).toMatchObject({ mqttPlain: true });
    expect(loadConfig({ ...open, ...tls })).toMatchObject({ mqttPlain: false });
    expect(loadConfig({ ...open, ...tls, FERRY_MQTT_PLAIN: 'on' })).toMatchObject({ mqttPlain: true });
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) {
      expect(loadConfig({ FERRY_HOST: host })).toMatchObject({ mqttPlain: true });
    }
  });

  it.each([
    [{ FERRY_TLS_CERT: 'c.pem' }, 'FERRY_TLS_KEY'],
    [{ FERRY_TLS_CLIENT_CA: 'ca.pem' }, 'FERRY_TLS_CERT'],
    [{ FERRY_TLS_CERT: 'c', FERRY_TLS_KEY: 'k', FERRY_TLS_CLIENT_AUTH: 'required' }, 'FERRY_TLS_CLIENT_CA'],
    [{ FERRY_MQTT_PLAIN: 'off' }, 'no device could connect'],
    [{ FERRY_SIGN_METHODS: 'sha256,rot13' }, 'FERRY_SIGN_METHODS'],
    [{ FERRY_SECRET_KEY: 'short' }, 'FERRY_SECRET_KEY'],
  ])('%j is refused, naming what is missing', (env, word) => {
    expect(() => loadConfig(env)).toThrow(word);
  });

  it('takes several secret keys, and some of the sign methods', () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const { secretKeys, brokerLimits } = loadConfig({
      FERRY_SECRET_KEY: `${key}, ${key}`,
      FERRY_SIGN_METHODS: 'sha256, sha1',
    });
    expect(secretKeys).toHaveLength(2);
    expect(brokerLimits.signMethods).toEqual(['sha256', 'sha1']);
  });

  it.each([
    ['FERRY_HTTP_PORT', '70000', 'must be at most 65535'],
    ['FERRY_HTTP_PORT', '-1', 'must be at least 0'],
    ['FERRY_HTTP_PORT', '80.5', 'must be a whole number'],
    ['FERRY_HTTP_PORT', '0x1F90', 'must be a number'],
    ['FERRY_RETENTION_DAYS', '1.5', 'must be a whole number'],
    ['FERRY_FIRMWARE_MAX', '0', 'must be at least 1'],
    ['FERRY_APPROVAL_ABOVE', '-1', 'must be at least 0'],
    ['FERRY_APPROVAL_ABOVE', 'ten', 'must be a number'],
    ['FERRY_DOWNLOAD_URL_TTL_MINUTES', '60000000', 'must be at most'],
    ['FERRY_MQTT_CONNECT_SECONDS', '3000000', 'must be at most 3600'],
    ['FERRY_LOG_LEVEL', 'loud', 'must be trace, debug, info, warn, error, fatal or silent'],
    ['FERRY_ADMIN_TOKEN', 'a token with blanks in it', 'without blanks'],
    ['FERRY_ADMIN_TOKEN', 'ein-Schlüssel-für-alle', 'must be of ASCII'],
    ['FERRY_PUBLIC_URL', 'https://x/?a=b#c', 'must not have a query or a fragment'],
    ['FERRY_PUBLIC_URL', 'https://x/#', 'must not have a query or a fragment'],
    ['FERRY_PUBLIC_URL', 'https://me:secret@x/', 'must not have a user name or a password'],
    ['FERRY_PUBLIC_URL', 'http://0.0.0.0:8080', 'must name an address that others can reach'],
    ['FERRY_PUBLIC_URL', 'https://x/a b', 'must have a path of letters'],
    ['FERRY_PUBLIC_URL', 'https://x/v1', 'must not have a path that begins like one of the service'],
    ['FERRY_TEMPORAL_UI_URL', 'ftp://x', 'must be an http:// or https:// URL'],
    ['FERRY_HOST', 'http://127.0.0.1', 'without a scheme and a port'],
    ['FERRY_HOST', '127.0.0.1:8080', 'without a scheme and a port'],
    ['FERRY_HOST', 'fe80::1%eth0', 'must not have a zone'],
    ['FERRY_HOST', '[localhost]', 'must be an address or a name'],
    ['TEMPORAL_ADDRESS', 'https://temporal.example', 'without a scheme'],
    ['TEMPORAL_ADDRESS', 'temporal.example:99999', 'must be a host and a port'],
  ])('%s=%s is refused by the rule that it breaks', (name, value, rule) => {
    const message = refusalOf({ [name]: value });
    expect(message).toContain(`${name}: `);
    expect(message).toContain(rule);
    expect(message).not.toContain('secret');
    if (rule !== 'must be a number') expect(message).not.toMatch(/must be a number$/m);
  });

  it('has bounds on both sides for every number', () => {
    const numbers = Object.entries(loadConfig({}).brokerLimits).filter(([, value]) => typeof value === 'number');
    expect(numbers.length).toBeGreaterThan(5);
    const names = VARIABLES.filter((name) => refusalOf({ [name]: 'x' }).includes(`${name}: must be a number`));
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) {
      expect(refusalOf({ [name]: '99999999999999' }), name).toMatch(new RegExp(`${name}: must be at most \\d+`));
      expect(refusalOf({ [name]: '-99999999999999' }), name).toMatch(new RegExp(`${name}: must be at least \\d+`));
    }
  });

  it('refuses a variable that it does not know, and names the one that was meant', () => {
    const message = refusalOf({
      FERRY_APROVAL_ABOVE: '100',
      FERRY_HTTPPORT: '9000',
      FERRY_MQTT_PLAN: 'off',
      ferry_host: '::1',
      FERRY_SOMETHING_ELSE_ALTOGETHER: '1',
      FERRY_MQTT_PORT: 'x',
    });
    for (const meant of ['FERRY_APPROVAL_ABOVE', 'FERRY_HTTP_PORT', 'FERRY_MQTT_PLAIN', 'FERRY_HOST']) {
      expect(message).toContain(`did you mean ${meant}?`);
    }
    expect(message).toContain('FERRY_SOMETHING_ELSE_ALTOGETHER: is not known here');
    expect(message).toContain('FERRY_MQTT_PORT: must be a number');
  });

  it('leaves the variables of its command and of orchestrators alone', () => {
    const env = {
      FERRY_URL: 'http://127.0.0.1:8080',
      FERRY_TOKEN: 'x',
      FERRY_SERVICE_HOST: '10.0.0.1',
      FERRY_SERVICE_PORT_HTTP: '8080',
      FERRY_PORT: 'tcp://10.0.0.1:8080',
      FERRY_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    expect(loadConfig(env)).toMatchObject({ httpPort: 8080 });
  });

  it('trims values, and takes a blank one for one that is not set', () => {
    const env = { FERRY_HTTP_PORT: ' 9000 ', FERRY_MQTT_PORT: '  ', FERRY_APPROVAL_ABOVE: ' ', FERRY_DATA_DIR: '\t' };
    expect(loadConfig(env)).toMatchObject({ httpPort: 9000, mqttPort: 1883, approvalAbove: null });
  });

  it('refuses one port for two purposes, but not any free port', () => {
    expect(refusalOf({ FERRY_HTTP_PORT: '9000', FERRY_MQTT_PORT: '9000' })).toContain(
      'FERRY_HTTP_PORT, FERRY_MQTT_PORT: must differ',
    );
    expect(refusalOf({ FERRY_HTTP_PORT: '7233' })).toContain('FERRY_HTTP_PORT, FERRY_TEMPORAL_PORT');
    expect(loadConfig({ FERRY_HTTP_PORT: '0', FERRY_MQTT_PORT: '0' })).toMatchObject({ httpPort: 0, mqttPort: 0 });
    expect(loadConfig({ FERRY_HTTP_PORT: '7233', TEMPORAL_ADDRESS: 't:7233' })).toMatchObject({ httpPort: 7233 });
    expect(loadConfig({ FERRY_HTTP_PORT: '8883' })).toMatchObject({ httpPort: 8883 });
  });

  it('names what concerns two variables together with all else', () => {
    const message = refusalOf({ FERRY_HOST: '0.0.0.0', FERRY_TLS_CLIENT_AUTH: 'required', FERRY_MQTT_PORT: 'x' });
    for (const name of ['FERRY_PUBLIC_URL: ', 'FERRY_HOST: ', 'FERRY_TLS_CLIENT_AUTH: ', 'FERRY_MQTT_PORT: ']) {
      expect(message).toContain(name);
    }
  });

  it('takes an IPv6 address in the brackets of a URL', () => {
    expect(loadConfig({ FERRY_HOST: '[::1]' })).toMatchObject({ host: '::1' });
    const everywhere = { FERRY_HOST: '[::]', FERRY_INSECURE: '1' };
    expect(refusalOf(everywhere)).toContain('FERRY_PUBLIC_URL: must be set');
    expect(refusalOf({ FERRY_HOST: '0', FERRY_INSECURE: '1' })).toContain('FERRY_PUBLIC_URL: must be set');
  });

  it('keeps the path of the public URL, without slashes at its end', () => {
    expect(loadConfig({ FERRY_PUBLIC_URL: 'HTTPS://Updates.Example/ferry//' })).toMatchObject({
      publicUrl: 'https://updates.example/ferry',
    });
  });

  it('has every variable in its documentation', async () => {
    const docs = (await readdir(join(PROJECT_FOLDER, 'docs'))).filter((name) => name.endsWith('.md'));
    const pages = ['README.md', ...docs.map((name) => join('docs', name))];
    const texts = await Promise.all(pages.map((page) => readFile(join(PROJECT_FOLDER, page), 'utf8')));
    const shown = texts.join('\n');
    expect(VARIABLES.filter((name) => !shown.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('what a start needs of its machine', () => {
  it('names missing files, a name that does not resolve and a Temporal CLI that is none in one message', async () => {
    const message = await startRefusalOf({
      FERRY_HOST: 'no-such-host.invalid',
      FERRY_TLS_CERT: '/nowhere/cert.pem',
      FERRY_TLS_KEY: tmpdir(),
      TEMPORAL_CLI: '/nowhere/temporal',
      FERRY_MQTT_PORT: 'x',
      ...ANY_PORTS,
    });
    expect(message).toContain('FERRY_TLS_CERT: the file /nowhere/cert.pem does not exist');
    expect(message).toMatch(/FERRY_TLS_KEY: the file \S+ is a folder/);
    expect(message).toContain('TEMPORAL_CLI: /nowhere/temporal is not an executable file');
    expect(message).toContain('FERRY_HOST: the name no-such-host.invalid ');
    expect(message).toContain('FERRY_MQTT_PORT: must be a number');
  });

  it('names all ports that are in use, and makes no data folder', async () => {
    const [http, mqtt, ui] = await Promise.all([occupiedPort(), occupiedPort(), occupiedPort()]);
    const folder = join(tmpdir(), `ferry-never-made-${randomUUID()}`);
    const message = await startRefusalOf({
      FERRY_DATA_DIR: folder,
      FERRY_HTTP_PORT: String(http),
      FERRY_MQTT_PORT: String(mqtt),
      FERRY_TEMPORAL_UI_PORT: String(ui),
      FERRY_TEMPORAL_PORT: '0',
    });
    expect(message).toContain(`FERRY_HTTP_PORT: port ${http} is in use`);
    expect(message).toContain(`FERRY_MQTT_PORT: port ${mqtt} is in use`);
    expect(message).toContain(`FERRY_TEMPORAL_UI_PORT: port ${ui} is in use`);
    expect(existsSync(folder)).toBe(false);
  });

  it('blames the host, not the ports, for an address that is not of this machine', async () => {
    const message = await startRefusalOf({ ...ANY_PORTS, FERRY_HOST: '192.0.2.1', FERRY_INSECURE: '1' });
    expect(message).toContain('FERRY_HOST: 192.0.2.1 is no address of this machine');
    expect(message).not.toContain('_PORT');
  });
});
