import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One request over a bare socket, so that each letter of the answer's head is seen. */
export interface RawAnswer {
  readonly status: number;
  /** As they were written. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export async function rawRequest(
  port: number,
  head: readonly string[],
  body: Uint8Array = Buffer.alloc(0),
): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${[...head, 'Host: ferry.test', 'Connection: close'].join('\r\n')}\r\n\r\n`);
  if (body.length > 0) socket.write(body);
  return readAnswer(socket);
}

/** Reads to the end of the connection. */
export async function readAnswer(socket: Socket): Promise<RawAnswer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece) => pieces.push(piece));
  await once(socket, 'close');
  const all = Buffer.concat(pieces);
  const split = all.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = all.subarray(0, split).toString('latin1').split('\r\n');
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])),
    body: all.subarray(split + 4),
  };
}
