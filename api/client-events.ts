import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { pause } from './pause.js';
import type { DeviceUpdateAnswer, TaskAnswer } from './schemas.js';

/** What an event stream tells: the newest state of what changed. */
export type ApiEvent =
  | { readonly event: 'task'; readonly id: string; readonly data: TaskAnswer }
  | { readonly event: 'device-update'; readonly id: string; readonly data: DeviceUpdateAnswer };

export interface FollowOptions {
  readonly signal?: AbortSignal;
  /** Go on after this event instead of beginning with the current state. */
  readonly lastEventId?: string;
  /** Between a lost connection and the next attempt. */
  readonly retryMs?: number;
  /** Told when the stream is open, and when it is lost and will be tried again: by which error, if it was one. */
  readonly onState?: (state: 'open' | 'lost', error?: unknown) => void;
  /** Also try again when it could not be reached the first time. */
  readonly patient?: boolean;
}

type Connect = (headers: Record<string, string>, signal: AbortSignal | undefined) => Promise<Response>;

/**
 * Iterates an event stream and goes on where it was after a lost connection; ends when aborted.
 *
 * @throws ApiError when the API refuses the stream; ApiUnreachableError when it can't be reached the first time
 */
export async function* followEvents(connect: Connect, options: FollowOptions): AsyncGenerator<ApiEvent> {
  const { signal } = options;
  let retryMs = options.retryMs ?? 1_000;
  let lastId = options.lastEventId;
  let connected = false;
  while (!signal?.aborted) {
    let lostBy: unknown;
    try {
      const response = await connect(lastId === undefined ? {} : { 'last-event-id': lastId }, signal);
      connected = true;
      options.onState?.('open');
      for await (const { event, data, id } of messagesOf(response, (ms) => (retryMs = ms))) {
        lastId = id ?? lastId;
        if (data !== '') yield toEvent(event ?? 'message', lastId ?? '', data);
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (isRefusal(error) || (!connected && options.patient !== true)) throw error;
      lostBy = error;
    }
    options.onState?.('lost', lostBy);
    await pause(Math.max(retryMs, retryAfterMsOf(lostBy)), signal);
  }
}

const TOO_MANY_REQUESTS = 429;

/** A 5xx may pass, and so does 429; the connection is tried again. */
const isRefusal = (error: unknown): boolean => {
  const status = (error as { status?: number }).status;
  return status !== undefined && status < 500 && status !== TOO_MANY_REQUESTS;
};

/** How long the server wants to be left alone. */
const retryAfterMsOf = (error: unknown): number => (error as { retryAfterMs?: number } | undefined)?.retryAfterMs ?? 0;

const toEvent = (event: string, id: string, data: string) =>
  ({ event, id, data: JSON.parse(data) as never }) as ApiEvent;

/** The body as it comes; not every browser iterates a stream by itself. */
export async function* piecesOf({ body }: Pick<Response, 'body'>): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const piece = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
      if (piece.value === undefined) return;
      yield piece.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** More than any event of ours has: what sends it is no Ferry. */
const EVENT_CHARACTERS_MAX = 1024 * 1024;
const RETRY_MS_MAX = 60_000;

/** The events of one connection as they come, whatever the ends of their lines. */
async function* messagesOf(response: Response, onRetry: (ms: number) => void): AsyncGenerator<EventSourceMessage> {
  const decoder = new TextDecoder();
  let arrived: EventSourceMessage[] = [];
  let fault: Error | undefined;
  const parser = createParser({
    maxBufferSize: EVENT_CHARACTERS_MAX,
    onEvent: (message) => arrived.push(message),
    onRetry: (ms) => onRetry(Math.min(ms, RETRY_MS_MAX)),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') fault = error;
    },
  });
  for await (const bytes of piecesOf(response)) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* arrived;
    arrived = [];
    if (fault) throw fault;
  }
}
