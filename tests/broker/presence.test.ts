import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Presence } from '../../broker/presence.js';
import { deviceId } from '../../broker/topics.js';
import { Ground, light } from './ground.js';

describe('presence that could not be recorded', () => {
  it.each(['deviceConnected', 'deviceDisconnected'] as const)(
    'is recorded once it can be, without a reconnect: %s',
    async (what) => {
      let failures = 0;
      const ground = await Ground.start({
        spoil: (records) => ({
          ...records,
          [what]: (...change: Parameters<typeof records.deviceConnected>) =>
            failures++ === 0 ? Promise.reject(new Error('disk full')) : records[what](...change),
        }),
      });
      const device = await ground.device();
      await ground.becomes(true);
      await device.client.endAsync();
      await ground.becomes(false);
      expect(failures).toBeGreaterThan(1);
      await ground.stop();
    },
    10_000,
  );
});

describe('while the disk is full', () => {
  const connectionOf = (n: number, id = `c-${n}`) => ({ id, device: light(n), deviceId: deviceId(light(n)) });
  /** Records of which connection each device has, as the real ones keep it. */
  const recorded = new Map<string, string>();
  const present = new Map<string, { readonly id: string; readonly deviceId: string }>();
  let isFull = true;
  let writes = 0;
  let warnings = 0;
  let presence: Presence;
  const write = async (change: () => void) => {
    writes++;
    if (isFull) throw new Error('disk full');
    change();
  };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    recorded.clear();
    present.clear();
    [isFull, writes, warnings] = [true, 0, 0];
    presence = new Presence({
      gateway: {
        deviceConnected: (device, id) => write(() => void recorded.set(deviceId(device), id)),
        deviceDisconnected: (device, id) =>
          write(() => {
            if (recorded.get(deviceId(device)) === id) recorded.delete(deviceId(device));
          }),
      },
      presentOf: (id) => present.get(id) as never,
      log: {
        warn: () => {
          warnings++;
        },
      },
    });
  });
  afterEach(() => vi.useRealTimers());

  const connect = (connection: ReturnType<typeof connectionOf>) => {
    present.set(connection.deviceId, connection);
    return presence.connected(connection);
  };
  const disconnect = (connection: ReturnType<typeof connectionOf>) => {
    if (present.get(connection.deviceId) === connection) present.delete(connection.deviceId);
    return presence.disconnected(connection);
  };
  const roomAgain = () => {
    isFull = false;
    return vi.advanceTimersByTimeAsync(1_000);
  };

  it('comings are kept, said once, and tried once a second, in the order of coming', async () => {
    for (const n of [2, 1, 3]) await connect(connectionOf(n));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(writes).toBe(3 + 3 * 3);
    expect(warnings).toBe(1);
    await roomAgain();
    expect([...recorded.values()]).toEqual(['c-2', 'c-1', 'c-3']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writes).toBe(3 + 3 * 3 + 3);
  });

  it('a device that has come and gone counts as offline after it', async () => {
    recorded.set(deviceId(light(1)), 'earlier'); // whose end was not recorded either
    await connect(connectionOf(1));
    await disconnect(connectionOf(1));
    present.clear();
    await roomAgain();
    expect(recorded.size).toBe(0);
  });

  it('a take-over counts after it, the end of the one before does not', async () => {
    const [before, after] = [connectionOf(1, 'before'), connectionOf(1, 'after')];
    recorded.set(before.deviceId, before.id);
    present.set(before.deviceId, before);
    await connect(after);
    await disconnect(before);
    await roomAgain();
    expect([...recorded.values()]).toEqual(['after']);
  });

  it('one device whose presence can never be recorded costs the others nothing', async () => {
    for (const n of [1, 2]) await connect(connectionOf(n));
    present.set(deviceId(light(1)), {
      get id(): string {
        throw new Error('never');
      },
      deviceId: deviceId(light(1)),
    });
    await roomAgain();
    expect([...recorded.values()]).toEqual(['c-2']);
  });

  it('keeps nothing alive, and ends with the broker', async () => {
    await connect(connectionOf(1));
    await presence.stop();
    await connect(connectionOf(2));
    await roomAgain();
    expect(recorded.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
