import { setTimeout as sleep } from 'node:timers/promises';
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
      for await (const block of blocksOf(response)) {
        const event = parseBlock(block);
        lastId = event.id ?? lastId;
        if (event.data !== '') yield toEvent(event.event, lastId ?? '', event.data);
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!connected || isRefusal(error)) throw error;
    }
    await sleep(retryMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/** A 5xx may pass; the connection is tried again. */
const isRefusal = (error: unknown): boolean => {
  const status = (error as { status?: number }).status;
  return status !== undefined && status < 500;
};

const toEvent = (event: string, id: string, data: string) =>
  ({ event, id, data: JSON.parse(data) as never }) as ApiEvent;

async function* blocksOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
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
