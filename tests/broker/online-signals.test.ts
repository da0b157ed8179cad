import { describe, expect, it } from 'vitest';
import { OnlineSignals, type OnlineConnection } from '../../broker/online-signals.js';
import { initialState } from '../../domain/device-update.js';
import type { DeviceUpdateSignals } from '../../broker/device-update-signals.js';
import type { OpenDeviceUpdate } from '../../records/records.js';

const connectionOf = (n: number): OnlineConnection => ({
  device: { productKey: 'p', deviceName: `d-${n}` },
  onlineId: `connection-${n}`,
  isOpen: true,
  ended: new AbortController().signal,
});

/** Only what is looked at. */
const pendingUpdate = (n: number) =>
  ({
    record: { ...initialState(1), id: n, taskId: 't' },
    onlineSignals: 0,
    onlineSignalledAtMs: null,
  }) as unknown as OpenDeviceUpdate;

/** Online signals over an engine that answers when it is let. */
function ground() {
  const [answers, looked]: [(() => void)[], string[]] = [[], []];
  const signals = { send: () => new Promise((resolve) => answers.push(() => resolve('delivered'))) };
  const online = new OnlineSignals({
    records: {
      openDeviceUpdate: async ({ deviceName }) => {
        looked.push(deviceName);
        return pendingUpdate(looked.length);
      },
      signalled: async () => undefined,
      pendingOnlineUpdates: async () => [],
    },
    signals: signals as DeviceUpdateSignals,
    log: { warn: () => undefined },
    now: () => 0,
  });
  return { online, answers, looked };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a whole fleet that comes online at once', () => {
  it('is told to the engine a bounded number at a time, in the order of coming, until all are told', async () => {
    const { online, answers, looked } = ground();
    const telling = Promise.all(Array.from({ length: 100 }, (_, n) => online.deviceOnline(connectionOf(n))));
    await turn();
    expect(answers).toHaveLength(40);
    answers[0]?.();
    await turn();
    expect(answers).toHaveLength(41);
    expect(looked.at(-1)).toBe('d-40');
    for (const answer of answers) answer();
    while (answers.length < 100) {
      await turn();
      for (const answer of answers) answer();
    }
    await telling;
    expect(looked).toHaveLength(100);
  });

  it('is not looked up any more where it has left before its turn', async () => {
    const { online, answers, looked } = ground();
    for (let n = 0; n < 40; n++) void online.deviceOnline(connectionOf(n));
    const gone = { ...connectionOf(40), isOpen: true };
    const last = online.deviceOnline(gone);
    await turn();
    gone.isOpen = false;
    for (const answer of answers) answer();
    await last;
    expect(looked).toHaveLength(40);
  });
});

describe('a clock that was ahead', () => {
  it('does not keep a device waiting until the time that it told', async () => {
    const [sent, nowMs]: [string[], number] = [[], 1_000_000];
    const update = { ...pendingUpdate(1), onlineSignals: 3, onlineSignalledAtMs: nowMs + 6 * 3_600_000 };
    const online = new OnlineSignals({
      records: {
        openDeviceUpdate: async () => update,
        signalled: async () => undefined,
        pendingOnlineUpdates: async () => [update],
      },
      signals: {
        send: async (_run, { name }) => {
          sent.push(name);
          return 'delivered' as const;
        },
      },
      log: { warn: () => undefined },
      now: () => nowMs,
    });
    await online.deviceOnline(connectionOf(1));
    expect(sent).toEqual(['online']);
    await online.sweep({ isReachable: () => true });
    expect(sent).toEqual(['online', 'online']);
  });
});

describe('a sweep', () => {
  const away = Object.assign(new Error('the engine is away'), { code: 14 });
  const sweepOf = (untellable: (id: number) => boolean, failure?: Error) => {
    const tried: number[] = [];
    const told: number[] = [];
    const online = new OnlineSignals({
      records: {
        openDeviceUpdate: async () => undefined,
        signalled: async (id) => void told.push(id),
        pendingOnlineUpdates: async () => Array.from({ length: 100 }, (_, n) => pendingUpdate(n)),
      },
      signals: {
        send: async (run) => {
          const { id } = run as unknown as { readonly id: number };
          tried.push(id);
          if (untellable(id)) throw failure ?? new Error(`${id} can't be told`);
          return 'delivered' as const;
        },
      },
      log: { warn: () => undefined },
      now: () => 0,
    });
    return { tried, told, swept: online.sweep({ isReachable: () => true }) };
  };

  it('tells all others when the one that has waited longest can’t be told', async () => {
    const { told, swept } = sweepOf((id) => id === 0);
    await expect(swept).rejects.toThrow("0 can't be told");
    expect(told).toEqual(Array.from({ length: 99 }, (_, n) => n + 1));
  });

  it('tells all others when many that have waited longest can never be told', async () => {
    const { told, swept } = sweepOf((id) => id < 60);
    await expect(swept).rejects.toThrow("0 can't be told");
    expect(told).toEqual(Array.from({ length: 40 }, (_, n) => n + 60));
  });

  it('does not go on when the engine is away', async () => {
    const { tried, told, swept } = sweepOf(() => true, new Error('not told', { cause: away }));
    await expect(swept).rejects.toThrow('not told');
    expect(tried).toHaveLength(20);
    expect(told).toEqual([]);
  });
});
