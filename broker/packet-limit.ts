import type { Socket } from 'node:net';
import type { BrokerLimits } from './limits.js';

export type PacketLimit = Pick<BrokerLimits, 'firstPacketBytesMax' | 'packetBytesMax'>;

/**
 * Watches the packets' lengths on sockets that somebody else reads. The parser collects a packet until it is whole,
 * and a packet may announce 256 MB: without this, a few bytes would reserve all memory.
 */
export class PacketWatch {
  readonly #lengths = new WeakMap<Socket, PacketLengths>();
  /** One for all sockets: nothing but the lengths is kept of each. */
  readonly #onData: (this: Socket, chunk: Buffer) => void;

  /** @param exceeded called once for a socket, as soon as a length above the limit is announced */
  constructor(limit: PacketLimit, exceeded: (socket: Socket) => void) {
    const lengths = this.#lengths;
    this.#onData = function onData(chunk) {
      if (lengths.get(this)?.fits(chunk, limit)) return;
      this.off('data', onData);
      exceeded(this);
    };
  }

  /** @param socket with a `readable` listener in place: `data` only tells what the reader has taken then */
  begin(socket: Socket): void {
    this.#lengths.set(socket, new PacketLengths());
    socket.on('data', this.#onData);
  }
}

/** Follows fixed headers through a stream of chunks: a type byte, then the remaining length [MQTT-2.2.3]. */
class PacketLengths {
  #bodyBytesLeft = 0;
  #isFirst = true;
  #state: 'type' | 'length' = 'type';
  #length = 0;
  #shift = 0;

  /** @returns false as soon as a packet that begins in the chunk does not fit */
  fits(chunk: Buffer, { firstPacketBytesMax, packetBytesMax }: PacketLimit): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytesLeft > 0) {
        const skipped = Math.min(this.#bodyBytesLeft, chunk.length - at);
        this.#bodyBytesLeft -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at++] ?? 0;
      if (this.#state === 'type') {
        [this.#state, this.#length, this.#shift] = ['length', 0, 0];
        continue;
      }
      this.#length |= (byte & 0x7f) << this.#shift;
      this.#shift += 7;
      if (byte >= 0x80 && this.#shift < 28) continue; // four bytes at most; a fifth is the parser's to refuse
      if (this.#length > (this.#isFirst ? firstPacketBytesMax : packetBytesMax)) return false;
      [this.#state, this.#bodyBytesLeft, this.#isFirst] = ['type', this.#length, false];
    }
    return true;
  }
}
