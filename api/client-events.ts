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
  /** Told when the stream is open, and when it is lost and will be tried again. */
  readonly onState?: (state: 'open' | 'lost') => void;
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
  const { signal, retryMs = 1_000 } = options;
  let lastId = options.lastEventId;
  let connected = false;
  while (!signal?.aborted) {
    try {
      const response = await connect(lastId === undefined ? {} : { 'last-event-id': lastId }, signal);
      connected = true;
      options.onState?.('open');
      for await (const block of blocksOf(response)) {
        const event = parseBlock(block);
        lastId = event.id ?? lastId;
        if (event.data !== '') yield toEvent(event.event, lastId ?? '', event.data);
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (isRefusal(error) || (!connected && options.patient !== true)) throw error;
    }
    options.onState?.('lost');
    await pause(retryMs, signal);
  }
}

/** A 5xx may pass; the connection is tried again. */
const isRefusal = (error: unknown): boolean => {
  const status = (error as { status?: number }).status;
  return status !== undefined && status < 500;
};

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

async function* blocksOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of piecesOf(response)) {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    yield* blocks;
  }
}

function parseBlock(block: string) {
  const parsed: { event: string; data: string; id?: string } = { event: 'message', data: '' };
  for (const line of block.split('\n')) {
    const [, name, value] = /^(event|data|id): ?(.*)$/.exec(line) ?? [];
    if (name === 'event' || name === 'data' || name === 'id') parsed[name] = value ?? '';
  }
  return parsed;
}
