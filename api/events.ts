import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import { FerryError, invalidField, notFound } from '../domain/errors.js';
import type { Records, TaskRecord } from '../records/records.js';
import type { Answers } from './answers.js';
import { Permission } from './auth.js';
import { changeFeed, type FeedItem } from './change-feed.js';
import type { ApiEnv, ApiLog } from './deps.js';
import type { LiveStreams } from './live-streams.js';
import { operation } from './operation.js';
import { pause } from './pause.js';
import { IdParams } from './requests.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';

/** At most five batches a second. */
const BATCH_GAP_MS = 200;
/** Keeps proxies from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000;
const STREAM_RETRY_SECONDS = 10;

/** A proxy that collects an answer, or compresses it, before it passes it on would hold the events back: nginx does by default. */
const STREAM_HEADERS = { 'X-Accel-Buffering': 'no', 'Cache-Control': 'no-cache, no-transform' } as const;

const EventHeaders = z.object({
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'must be the id of an event of this stream')
    .optional()
    .openapi({ description: 'Go on after this event.' }),
});
const eventStream = {
  200: {
    description:
      'Server-sent events: `task` carries a Task, `device-update` a DeviceUpdate, each in its newest state. `id` is the change number to resume from; `resume` tells the first one, without data.',
    content: { 'text/event-stream': { schema: z.string() } },
  },
};

const taskEvents = operation({
  id: 'streamTaskEvents',
  method: 'get',
  path: '/v1/tasks/{id}/events',
  tag: 'Events',
  summary: 'Follow a task: its state now, then every change of it and of its device updates',
  permission: Permission.READ,
  scope: Scope.TASK,
  request: { params: IdParams, headers: EventHeaders },
  responses: eventStream,
  problems: ['not-found'],
});

const allEvents = operation({
  id: 'streamEvents',
  method: 'get',
  path: '/v1/events',
  tag: 'Events',
  summary: 'Follow all tasks: every change from now on',
  permission: Permission.READ,
  scope: Scope.NARROWED,
  request: { headers: EventHeaders },
  responses: eventStream,
  problems: [],
});

interface EventDeps {
  readonly records: Records;
  readonly answers: Answers;
  readonly log: ApiLog;
  /** Ends every stream. */
  readonly closing: AbortSignal;
  readonly streams: LiveStreams;
  /** Of a token, at once. */
  readonly streamsMax: number;
}

export function eventRoutes({ records, answers, log, closing, streams, streamsMax }: EventDeps) {
  return newRouter()
    .openapi(taskEvents, async (c) => {
      const { id } = c.req.valid('param');
      const resumed = await resumePoint(c.req.valid('header'));
      // Read before the task: what changes in between is told twice rather than not at all.
      const newest = await records.lastChange();
      const task = await records.getTask(id);
      if (!task) throw notFound(`Task ${id}`);
      return follow(c, { taskId: id, after: resumed ?? newest, now: resumed === undefined ? task : undefined });
    })
    .openapi(allEvents, async (c) => {
      const after = (await resumePoint(c.req.valid('header'))) ?? (await records.lastChange());
      return follow(c, { taskId: null, after, productKey: narrowed(c) });
    });

  /** Where to go on; undefined to begin with the present. */
  async function resumePoint(headers: z.output<typeof EventHeaders>): Promise<number | undefined> {
    const id = headers['last-event-id'];
    if (id === undefined) return undefined;
    if (await records.isLostChange(Number(id))) {
      throw invalidField(
        'Last-Event-ID',
        'is of an event that a restore of the service has taken back; connect without it',
      );
    }
    if (Number(id) <= (await records.lastChange())) return Number(id);
    throw invalidField('Last-Event-ID', 'is newer than the newest event; connect without it');
  }

  interface Following {
    readonly taskId: string | null;
    readonly after: number;
    /** Only tasks of this product. */
    readonly productKey?: string | undefined;
    /** Told first. */
    readonly now?: TaskRecord | undefined;
  }

  function follow(c: Context<ApiEnv>, { taskId, after, productKey, now }: Following): Response {
    // HEAD has no reader: a stream would wait for it for ever.
    if (c.req.method === 'HEAD') return c.body(null, 200, { 'Content-Type': 'text/event-stream', ...STREAM_HEADERS });
    requireFew(c);
    const response = streamSSE(c, async (stream) => {
      const ending = new AbortController();
      const { signal } = ending;
      const end = () => ending.abort();
      stream.onAbort(end);
      closing.addEventListener('abort', end);
      const forget = streams.add(groundsOf(c), end);
      const expiry = endAtExpiry(c, end);
      if (closing.aborted) end();
      void beat(stream, signal);
      try {
        // The client knows from where to resume before anything has happened. Without a line of data, parsers drop the id.
        await stream.write(`event: resume\ndata:\nid: ${after}\n\n`);
        if (now) await sendAll(stream, [{ task: now, id: after }]);
        for await (const batch of changeFeed(records, { taskId, after, signal, batchGapMs: BATCH_GAP_MS })) {
          await sendAll(stream, productKey === undefined ? batch : batch.filter((item) => isOf(item, productKey)));
        }
      } catch (error) {
        // The client comes back and resumes.
        log.warn({ err: error }, 'event stream broke off');
      } finally {
        closing.removeEventListener('abort', end);
        forget();
        clearTimeout(expiry);
        end();
      }
    });
    for (const [name, value] of Object.entries(STREAM_HEADERS)) response.headers.set(name, value);
    return response;
  }

  /** @throws FerryError `too-many-requests` */
  function requireFew(c: Context<ApiEnv>): void {
    if (streams.countOf(c.get('principal').id) < streamsMax) return;
    c.header('Retry-After', String(STREAM_RETRY_SECONDS));
    const message = `The token has ${streamsMax} event streams open; close one of them, and try again then.`;
    throw new FerryError('too-many-requests', message);
  }

  async function sendAll(stream: SSEStreamingApi, batch: readonly FeedItem[]): Promise<void> {
    const policies = await answers.policiesOf(
      batch.flatMap((item) => ('deviceUpdate' in item ? [item.deviceUpdate] : [])),
    );
    for (const item of batch) {
      const [event, answer] =
        'task' in item
          ? ['task', answers.task(item.task)]
          : ['device-update', answers.deviceUpdate(item.deviceUpdate, policies.get(item.deviceUpdate.taskId))];
      // Resolves when the client has room for more.
      await stream.writeSSE({ event, data: JSON.stringify(answer), id: String(item.id) });
    }
  }
}

/** A stream ends with the token that it rests on, and with the session. */
function groundsOf(c: Context<ApiEnv>): string[] {
  const session = c.get('session');
  return [c.get('principal').id, ...(session ? [session.hash] : [])];
}

/** Node's timers take 24 days at most: until then, a client has come back. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function endAtExpiry(c: Context<ApiEnv>, end: () => void): NodeJS.Timeout | undefined {
  const atMs = Math.min(c.get('principal').expiresAtMs ?? Infinity, c.get('session')?.expiresAtMs ?? Infinity);
  return atMs === Infinity ? undefined : setTimeout(end, Math.min(atMs - Date.now(), TIMER_MS_MAX)).unref();
}

const isOf = (item: FeedItem, productKey: string): boolean =>
  'task' in item && item.task.firmware.productKey === productKey;

/** Comments while nothing happens; to a client that takes nothing, no more than one. */
async function beat(stream: SSEStreamingApi, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(HEARTBEAT_MS, signal);
    if (signal.aborted) return;
    await stream.write(':\n\n');
  }
}
