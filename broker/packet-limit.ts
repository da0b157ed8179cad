import type { Socket } from 'node:net';
import type { BrokerLimits } from './limits.js';

export type PacketLimit = Pick<BrokerLimits, 'firstPacketBytesMax' | 'packetBytesMax'>;

/**
 * Watches the packets' lengths on a socket that somebody else reads. The parser collects a packet until it is whole,
 * and a packet may announce 256 MB: without this, a few bytes would reserve all memory.
 *
 * @param exceeded called once, as soon as a length above the limit is announced
 */
export function limitPackets(socket: Socket, limit: PacketLimit, exceeded: () => void): void {
  const lengths = new PacketLengths();
  let bytesMax = limit.firstPacketBytesMax;
  // With a `readable` listener in place, `data` only tells what the reader has taken.
  const watch = (chunk: Buffer) => {
    const fits = lengths.in(chunk, (length) => {
      if (length > bytesMax) return false;
      bytesMax = limit.packetBytesMax;
      return true;
    });
    if (fits) return;
    socket.off('data', watch);
    exceeded();
  };
  socket.on('data', watch);
}

/** Follows fixed headers through a stream of chunks: a type byte, then the remaining length [MQTT-2.2.3]. */
class PacketLengths {
  #bodyBytesLeft = 0;
  #state: 'type' | 'length' = 'type';
  #length = 0;
  #shift = 0;

  /** Tells the length of each packet that begins in the chunk. @returns false as soon as one does not fit */
  in(chunk: Buffer, fits: (length: number) => boolean): boolean {
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
      this.#length += (byte & 0x7f) * 2 ** this.#shift;
      this.#shift += 7;
      if (byte >= 0x80 && this.#shift < 28) continue; // four bytes at most; a fifth is the parser's to refuse
      [this.#state, this.#bodyBytesLeft] = ['type', this.#length];
      if (!fits(this.#length)) return false;
    }
    return true;
  }
}
