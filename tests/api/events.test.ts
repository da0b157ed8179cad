import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApiClient, ApiError, type ApiClient } from '../../api/client.js';
import { followEvents, type ApiEvent } from '../../api/client-events.js';
import { TOKEN, World } from './world.js';

/** The events of a stream, one after the other, until the test ends. */
class Events {
  private readonly abort = new AbortController();
  private readonly iterator: AsyncIterator<ApiEvent>;

  constructor(
    open: (options: { signal: AbortSignal; lastEventId?: string; retryMs: number }) => AsyncGenerator<ApiEvent>,
    lastEventId?: string,
  ) {
    this.iterator = open({ signal: this.abort.signal, retryMs: 10, ...(lastEventId !== undefined && { lastEventId }) });
  }

  async next(): Promise<ApiEvent> {
    const { done, value } = (await this.iterator.next()) as IteratorResult<ApiEvent, undefined>;
    if (done === true) throw new Error('The stream ended');
    return value;
  }

  /** The next event that is as wanted. */
  async until(wanted: (event: ApiEvent) => boolean): Promise<ApiEvent> {
    for (;;) {
      const event = await this.next();
      if (wanted(event)) return event;
    }
  }

  close(): void {
    this.abort.abort();
  }
}

describe('The event stream', () => {
  let world: World;
  let client: ApiClient;
  let taskId: string;
  const streams: Events[] = [];
  const task = (lastEventId?: string) =>
    opened(new Events((options) => client.taskEvents(taskId, options), lastEventId));
  const all = (lastEventId?: string) => opened(new Events((options) => client.events(options), lastEventId));
  const opened = (events: Events) => {
    streams.push(events);
    return events;
  };

  beforeEach(async () => {
    world = await World.open();
    const { url } = await world.listen();
    client = createApiClient({ url, token: TOKEN });
    await world.product();
    taskId = await world.batch();
  });
  afterEach(async () => {
    for (const stream of streams.splice(0)) stream.close();
    await world.close();
  });

  it('does not go on from an event that a restore has taken back, since what came of it is not known any more', async () => {
    const known = await world.records.lastChange();
    await world.records.beginEra(Date.now());
    await expect(all(String(known + 1)).next()).rejects.toMatchObject({
      ...{ code: 'invalid-request', errors: [{ field: 'Last-Event-ID' }] },
    });
    const resumed = all(String(known));
    await world.post(`/v1/tasks/${taskId}/cancel`);
    expect(await resumed.until(({ event }) => event === 'task')).toMatchObject({ data: { id: taskId } });
  });

  it('of a task begins with the task as it is, and goes on with what changes', async () => {
    const events = task();
    expect(await events.next()).toMatchObject({ event: 'task', data: { id: taskId, counts: { pending: 3 } } });
    await world.notify(taskId, 'lamp-1');
    const update = await events.until(({ event }) => event === 'device-update');
    expect(update.data).toMatchObject({ deviceName: 'lamp-1', status: 'notified', waitingFor: { what: 'response' } });
    await world.end(taskId);
    const ended = await events.until(({ event, data }) => event === 'task' && data.status === 'completed');
    expect(ended.data).toMatchObject({ id: taskId });
  });

  it('goes on after the last event that was seen, with nothing left out', async () => {
    const events = task();
    const { id } = await events.next();
    events.close();
    for (const deviceName of ['lamp-1', 'lamp-2', 'lamp-3']) await world.fail(taskId, deviceName, 'stalled');

    const resumed = task(id);
    const seen = new Set<string>();
    while (seen.size < 3) {
      const { event, data } = await resumed.next();
      if (event === 'device-update') seen.add(data.deviceName);
    }
    expect(Array.from(seen).sort()).toEqual(['lamp-1', 'lamp-2', 'lamp-3']);
  });

  it('tells the rest to who stops in the midst of many changes', async () => {
    const events = task();
    await events.next();
    // Cancels the three device updates that never began, in one transaction.
    await world.end(taskId);
    const first = await events.until(({ event }) => event === 'device-update');
    events.close();
    const resumed = task(first.id);
    const rest: string[] = [];
    await resumed.until(({ event, data }) => {
      if (event === 'device-update') rest.push(data.deviceName);
      return rest.length === 2;
    });
    expect(rest).toEqual(['lamp-2', 'lamp-3']);
  });

  it('tells many changes of one thing as its newest state', async () => {
    const events = task();
    await events.next();
    await world.notify(taskId, 'lamp-1');
    await events.until(({ event }) => event === 'device-update');
    for (let step = 1; step <= 50; step++) {
      await world.records.progressReported(
        { productKey: 'lamps', deviceName: 'lamp-1' },
        { module: null, step, atMs: Date.now() },
      );
    }
    const steps: (number | null)[] = [];
    await events.until(({ event, data }) => {
      if (event === 'device-update') steps.push(data.step);
      return event === 'device-update' && data.step === 50;
    });
    expect(steps.length).toBeLessThan(10);
  });

  it('of all tasks tells tasks only, from now on', async () => {
    const events = all();
    const first = events.next();
    // The stream is open once it has said from where; a change before that may be missed by it.
    await new Promise((resolve) => setImmediate(resolve));
    while ((await Promise.race([first, world.notify(taskId, 'lamp-1').then(() => undefined)])) === undefined);
    expect(await first).toMatchObject({ event: 'task', data: { id: taskId } });
  });

  it('survives a restart of the server: the client reconnects and misses nothing', async () => {
    const events = task();
    await events.next();
    world.api.closeStreams();
    await world.restart();
    await world.fail(taskId, 'lamp-2', 'no-response');
    const update = await events.until(({ event }) => event === 'device-update');
    expect(update.data).toMatchObject({ deviceName: 'lamp-2', cause: 'no-response' });
  });

  it('refuses an id that is none, or of the future', async () => {
    for (const lastEventId of ['nonsense', '-1', '999999999']) {
      await expect(task(lastEventId).next()).rejects.toMatchObject({ status: 400, code: 'invalid-request' });
    }
  });

  it.each(['GET', 'HEAD'])('tells proxies by the head of %s to pass it on as it comes', async (method) => {
    for (const path of ['/v1/events', `/v1/tasks/${taskId}/events`]) {
      const response = await fetch(`${world.url}${path}`, { method, headers: { authorization: `Bearer ${TOKEN}` } });
      expect(response.headers.get('content-type'), path).toBe('text/event-stream');
      expect(response.headers.get('x-accel-buffering'), path).toBe('no');
      expect(response.headers.get('cache-control'), path).toBe('no-cache, no-transform');
      await response.body?.cancel();
    }
  });

  it('resumes from where it began, also when nothing had happened before it broke off', async () => {
    const response = await fetch(`${world.url}/v1/events`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) as { value: Uint8Array };
    await reader?.cancel();
    const [, id] = /^id: (\d+)$/m.exec(Buffer.from(value).toString()) ?? [];
    await world.notify(taskId, 'lamp-1');
    expect(await all(id).next()).toMatchObject({ event: 'task', data: { id: taskId } });
  });

  it('is refused without the token', async () => {
    const { url } = world;
    const stranger = createApiClient({ url, token: 'wrong' });
    await expect(stranger.events().next()).rejects.toBeInstanceOf(ApiError);
  });

  it('is no longer listened for once the client is gone', async () => {
    const before = world.listeners();
    const events = task();
    await events.next();
    expect(world.listeners()).toBe(before + 1);
    events.close();
    await world.untilListeners(before);
  });
});

describe('The client of event streams', () => {
  const TASK = { id: 'task-1' };
  /** What the client makes of bytes that come in these pieces, and the ids it reconnects with. */
  async function follow(pieces: readonly string[], wanted: number) {
    const resumed: (string | undefined)[] = [];
    const abort = new AbortController();
    const connect = (headers: Record<string, string>) => {
      resumed.push(headers['last-event-id']);
      const body = new Blob(resumed.length === 1 ? [...pieces] : []).stream();
      return Promise.resolve(new Response(body));
    };
    const events: ApiEvent[] = [];
    const stream = followEvents(connect, {
      signal: abort.signal,
      retryMs: 1,
      onState: (state) => {
        if (state === 'open' && resumed.length === 2) abort.abort();
      },
    });
    for await (const event of stream) events.push(event);
    expect(events).toHaveLength(wanted);
    return { events, resumed };
  }

  it.each(['\n', '\r\n', '\r'])('reads lines that end with %j', async (end) => {
    const lines = [': hello', 'retry: 2', 'id: 7', 'event: task', `data: ${JSON.stringify(TASK)}`, '', ': bye', ''];
    const { events, resumed } = await follow([lines.join(end)], 1);
    expect(events).toEqual([{ event: 'task', id: '7', data: TASK }]);
    expect(resumed).toEqual([undefined, '7']);
  });

  it('takes over an id that comes without data', async () => {
    const { resumed } = await follow(['event: resume\ndata:\nid: 41\n\n'], 0);
    expect(resumed).toEqual([undefined, '41']);
  });

  it('breaks off at what is larger than any event', async () => {
    const { resumed } = await follow([`id: 1\ndata:\n\ndata: ${'x'.repeat(2 * 1024 * 1024)}`, '\n\n'], 0);
    expect(resumed).toEqual([undefined, '1']);
  });

  const refusal = (status: number, retryAfterMs?: number) => new ApiError(status, {}, retryAfterMs);

  it('waits as long as it is told to when there are too many, and tells what it waits for', async () => {
    const abort = new AbortController();
    const askedAt: number[] = [];
    const states: unknown[] = [];
    const connect = () => {
      askedAt.push(Date.now());
      if (askedAt.length === 1) return Promise.reject(refusal(429, 200));
      return Promise.resolve(new Response(new Blob([]).stream()));
    };
    const onState = (state: string, error?: unknown) => {
      states.push([state, error instanceof ApiError ? error.status : error]);
      if (state === 'open') abort.abort();
    };
    const options = { signal: abort.signal, retryMs: 1, patient: true, onState };
    for await (const _event of followEvents(connect, options));
    expect(states.slice(0, 2)).toEqual([
      ['lost', 429],
      ['open', undefined],
    ]);
    expect((askedAt[1] ?? 0) - (askedAt[0] ?? 0)).toBeGreaterThanOrEqual(195);
  });

  it('ends with every other refusal, and with the first when it is not patient', async () => {
    for (const [status, patient] of [
      [403, true],
      [429, false],
    ] as const) {
      const stream = followEvents(() => Promise.reject(refusal(status)), { retryMs: 1, patient });
      await expect(stream.next()).rejects.toMatchObject({ status });
    }
  });
});
