import { once } from 'node:events';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDevCertificates } from '../../worker/dev-certificates.js';
import { TOKEN, World } from '../api/world.js';
import { Terminal } from './terminal.js';

let folder: string;
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-connecting-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

/** @returns the port */
async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
const http = async (answer: RequestListener) => `127.0.0.1:${await listening(createHttpServer(answer))}`;
async function https(answer: RequestListener, hosts = ['127.0.0.1']): Promise<string> {
  const { cert, key } = await createDevCertificates(join(folder, hosts[0] ?? ''), { hosts });
  const server = createHttpsServer({ cert: await readFile(cert), key: await readFile(key) }, answer);
  return `127.0.0.1:${await listening(server)}`;
}
async function asked(url: string, words: readonly string[] = ['product', 'list'], token = 'some-token') {
  const { exitCode, out, err } = await new Terminal({ FERRY_URL: url, FERRY_TOKEN: token }).run(words);
  expect(out).toBe('');
  expect(err).not.toMatch(/Unexpected|\n +at /);
  return { exitCode, err };
}
const html: RequestListener = (_request, response) =>
  void response.setHeader('content-type', 'text/html').end('<!doctype html>');

describe('A service that does not answer', () => {
  it('is told from one whose certificate nobody trusts, with what to do about it', async () => {
    const { exitCode, err } = await asked(`https://${await https(html)}`);
    expect(exitCode).toBe(1);
    expect(err).toMatch(/certificate is not trusted \([A-Z_]+\)\.\n.*NODE_EXTRA_CA_CERTS=.*ferry tls create/);
  });

  it('is told from a port that does not speak TLS, and from one that does', async () => {
    expect((await asked(`https://${await http(html)}`)).err).toMatch(/does not speak TLS.*\n.*http:\/\//);
    expect((await asked(`http://${await https(html)}`)).err).toMatch(/https:\/\//);
  });

  it('is told from a port of another protocol', async () => {
    const port = await listening(createTcpServer((socket) => socket.end('\u0020\u0002', () => socket.destroy())));
    expect((await asked(`http://127.0.0.1:${port}`)).err).toMatch(/does not speak HTTP.*\n.*MQTT/);
  });

  it('is told from a name that is not found', async () => {
    expect((await asked('http://nosuch.invalid:8080')).err).toMatch(/the host name nosuch\.invalid is not found/);
  });

  it('is told by the port where nothing listens, with how to start it', async () => {
    const server = createTcpServer();
    const port = await listening(server);
    servers.pop();
    await new Promise((resolve) => server.close(resolve));
    expect((await asked(`http://127.0.0.1:${port}`)).err).toMatch(
      /nothing listens there \(ECONNREFUSED\)\.\n.*ferry up/,
    );
  });
});

describe('Something else than Ferry', () => {
  it.each([
    ['a web page', 200, 'text/html', '<!doctype html>'],
    ['a page that is not found', 404, 'text/html', '<h1>404</h1>'],
    ['a sign-in of its own', 401, 'text/html', '<h1>Sign in</h1>'],
    ['JSON of another kind', 200, 'application/json', '{"hello":"world"}'],
    ['JSON that is no object', 200, 'application/json', '"hello"'],
    ['broken JSON', 200, 'application/json', '{"items":'],
  ])('that answers %s is said to be that', async (_what, status, type, body) => {
    const url = `http://${await http((_request, response) => void response.writeHead(status, { 'content-type': type }).end(body))}`;
    const { exitCode, err } = await asked(url);
    expect(exitCode).toBe(1);
    expect(err).toMatch(/^error: Something answers at .* but not as Ferry does.*\n.*FERRY_URL/);
  });

  it('is not watched for ever, and its page is not taken for a CSV', async () => {
    const url = `http://${await http(html)}`;
    for (const words of [
      ['watch', 't'],
      ['failures', 't', '--csv'],
      ['audit', '--csv'],
    ]) {
      expect((await asked(url, words)).err).toContain('not as Ferry does');
    }
  });

  it('that is a proxy without a service behind it is told as that', async () => {
    const url = `http://${await http((_request, response) => void response.writeHead(502).end('Bad Gateway'))}`;
    expect((await asked(url)).err).toMatch(/A proxy answers 502 in place of Ferry\.\nIs Ferry running behind it\?/);
  });

  it.each([301, 302, 307, 308])('that redirects by %i is told with the address to name', async (status) => {
    const url = `http://${await http((request, response) => void response.writeHead(status, { location: `https://ferry.example:8443/prefix${request.url}` }).end())}`;
    expect((await asked(url)).err).toMatch(/a redirect to https:\/\/ferry\.example:8443\/prefix\.\n.*--url/);
    expect((await asked(url, ['product', 'create', 'lamps'])).err).toContain('https://ferry.example:8443/prefix.');
  });
});

describe('An address or a token that can not be used', () => {
  it.each([
    ['http://ops:secret-word@127.0.0.1:8080', 'must not have a user or a password'],
    ['http://127.0.0.1:8080/#/sign-in/secret-word', 'name the address alone, such as http://127.0.0.1:8080'],
    ['ftp://127.0.0.1', 'is not an http:// or https:// address'],
  ])('is refused before anything is asked, without showing a secret: %s', async (url, message) => {
    const { exitCode, err } = await asked(url);
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toContain('secret-word');
  });

  it.each(['密码密码密码', 'two words', 'line\nend'])('is named when it is the token: %j', async (token) => {
    const { exitCode, err } = await asked('http://127.0.0.1:8080', ['product', 'list'], token);
    expect(exitCode).toBe(2);
    expect(err).toContain('--token (FERRY_TOKEN)');
    expect(err).not.toContain(token);
  });

  it.each(['', '/', '/v1', '/v1/'])('may end with %j: it is the same one', async (end) => {
    const world = await World.open();
    try {
      const { url } = await world.listen();
      const listed = await new Terminal({ FERRY_URL: `${url}${end}`, FERRY_TOKEN: TOKEN }).run(['product', 'list']);
      expect(listed).toMatchObject({ exitCode: 0, err: '' });
    } finally {
      await world.close();
    }
  });
});
