import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Client } from 'aedes';

/** The return code of a CONNECT in a version of MQTT that is not spoken here [MQTT-3.1.2-2]. */
export const UNACCEPTABLE_VERSION = 1;

const CONNACK = Buffer.from([0x20, 2, 0, UNACCEPTABLE_VERSION]);

/** What the parser says of a CONNECT whose protocol name or level it does not know. */
const UNKNOWN_PROTOCOL = /^(Cannot parse protocolId|Invalid protocolId|Invalid protocol version)$/;

/**
 * Answers a CONNECT of an unknown protocol level or name by its return code. aedes does so for MQTT 5 only; of any other
 * its parser knows nothing but that it is wrong, and the connection would just end: the device could not tell a version
 * that is not spoken from a network that breaks.
 */
export function answerUnknownProtocols(client: Client, socket: Socket): void {
  // aedes's own, which its types leave out.
  const { _parser: parser } = client as unknown as { readonly _parser: EventEmitter };
  const failed = (error: Error) => void (client as unknown as EventEmitter).emit('error', error);
  let isAnswered = false;
  parser.removeAllListeners('error');
  parser.on('error', (error: Error) => {
    if (isAnswered) return;
    if (client.connected || !UNKNOWN_PROTOCOL.test(error.message)) return failed(error);
    isAnswered = true;
    socket.end(CONNACK, () => failed(error));
  });
}
