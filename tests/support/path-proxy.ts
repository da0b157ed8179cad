import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PathProxy {
  /** With the path. */
  readonly url: string;
  close(): void;
}

/**
 * A proxy that shows a service below a path of its own, as nginx does: with or without that path in what it passes on.
 *
 * @param service where it passes requests on to, asked for each of them
 */
export async function startPathProxy(
  path: string,
  { keepsPath, service }: { readonly keepsPath: boolean; readonly service: () => string },
): Promise<PathProxy> {
  const server = createServer((asked, answer) => {
    const url = asked.url ?? '/';
    if (!url.startsWith(`${path}/`)) return answer.writeHead(404).end('not of the service');
    const passedOn = request(
      new URL(keepsPath ? url : url.slice(path.length), service()),
      { method: asked.method, headers: asked.headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    passedOn.on('error', () => answer.destroy());
    answer.on('close', () => passedOn.destroy());
    asked.pipe(passedOn);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
