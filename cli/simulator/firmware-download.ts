import { createHash, type Hash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout } from 'node:timers/promises';
import type { Notification } from './messages.js';

/** The server does not give the file, or not all of it: step -2. */
export class DownloadFailed extends Error {
  override readonly name = 'DownloadFailed';
}

const ATTEMPTS_MAX = 8;
const RETRY_MS = 500;
const SILENCE_MS = 30_000;

/** One device's download, in pieces: it can be interrupted and goes on with a Range where it was. */
export class FirmwareDownload {
  private receivedBytes = 0;
  private readonly hash: Hash;
  private response: IncomingMessage | undefined;
  private failures = 0;

  constructor(
    private readonly firmware: Notification,
    private readonly options: { readonly readsHeadersByLetter: boolean; readonly signal: AbortSignal },
  ) {
    this.hash = createHash(firmware.signMethod === 'Md5' ? 'md5' : 'sha256');
  }

  get received(): number {
    return this.receivedBytes;
  }

  /**
   * Reads on until this part of the file is there. A lost connection is opened again, with a Range.
   *
   * @param percent 0 to 100
   * @throws DownloadFailed
   */
  async until(percent: number): Promise<void> {
    const wantedBytes = Math.ceil((this.firmware.sizeBytes * percent) / 100);
    while (this.receivedBytes < wantedBytes) {
      this.options.signal.throwIfAborted();
      try {
        await this.readPiece();
      } catch (error) {
        await this.recover(error);
      }
    }
    if (this.receivedBytes < this.firmware.sizeBytes) return;
    this.interrupt();
    if (this.receivedBytes > this.firmware.sizeBytes) throw new DownloadFailed('More bytes came than were announced.');
  }

  /** Cuts the HTTP connection; what was received stays. */
  interrupt(): void {
    this.response?.destroy();
    this.response = undefined;
  }

  /** Feeds a wrong byte into the digest, as a broken flash would. */
  corrupt(): void {
    this.hash.update('\0');
  }

  /** Whether the digest of all that was received is the announced one; once, at the end. */
  digestMatches(): boolean {
    return this.hash.digest('hex') === this.firmware.sign.toLowerCase();
  }

  private async readPiece(): Promise<void> {
    this.response ??= await this.request();
    const piece = await nextPiece(this.response);
    if (!piece) throw new Error('the connection ended early');
    this.hash.update(piece);
    this.receivedBytes += piece.length;
  }

  private async recover(error: unknown): Promise<void> {
    this.interrupt();
    if (error instanceof DownloadFailed) throw error;
    this.options.signal.throwIfAborted();
    if (++this.failures >= ATTEMPTS_MAX) throw new DownloadFailed(`The connection fails: ${String(error)}.`);
    await setTimeout(RETRY_MS * this.failures, undefined, { signal: this.options.signal });
  }

  private async request(): Promise<IncomingMessage> {
    const isResumed = this.receivedBytes > 0;
    const asksRange = isResumed || this.options.readsHeadersByLetter;
    const response = await get(this.firmware.url, {
      headers: asksRange ? { Range: `bytes=${this.receivedBytes}-` } : {},
      signal: this.options.signal,
    });
    const problem = this.problemOf(response, asksRange ? 206 : 200);
    if (problem === undefined) return response;
    response.destroy();
    throw new DownloadFailed(problem);
  }

  private problemOf(response: IncomingMessage, wantedStatus: number): string | undefined {
    // A server in trouble is worth another try; a refusal is final.
    if ((response.statusCode ?? 0) >= 500) throw new Error(`HTTP status ${response.statusCode}`);
    if (response.statusCode !== wantedStatus) return `HTTP status ${response.statusCode} instead of ${wantedStatus}.`;
    if (this.options.readsHeadersByLetter && !response.rawHeaders.includes('Content-Length')) {
      return 'There is no header "Content-Length" in these letters.';
    }
    const announced = Number(response.headers['content-length']);
    const left = this.firmware.sizeBytes - this.receivedBytes;
    return announced === left ? undefined : `Content-Length ${announced} instead of ${left}.`;
  }
}

function get(
  url: string,
  options: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    // A connection of its own for each download, as devices have it.
    const request = send(url, { ...options, agent: false, timeout: SILENCE_MS }, (response) => {
      // It may break between two pieces, when nobody listens; the next piece finds it destroyed.
      response.on('error', () => undefined);
      resolve(response);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.end();
  });
}

/** Read by hand, not by `for await`: a device that takes a break must not close the stream. */
function nextPiece(response: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      response.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', onEnd);
      finish();
    };
    const onEnd = () => settle(() => resolve(null));
    const onError = (error: Error) => settle(() => reject(error));
    const onReadable = () => {
      const piece = response.read() as Buffer | null;
      if (piece !== null) settle(() => resolve(piece));
    };
    if (response.destroyed || response.readableEnded) return resolve(null);
    response.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', onEnd);
    onReadable();
  });
}
