import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { causeOfStep } from '../../domain/causes.js';
import {
  cancelled,
  caughtUp,
  type DeviceUpdateState,
  failed,
  graceUntilMs,
  initialState,
  isAway,
  isOpen,
  left,
  downloading,
  notified,
  onlineBackoffMs,
  plausibleTime,
  progressed,
  responseTimeoutMs,
  returned,
  silent,
  succeeded,
  unreachable,
  waitingFor,
  withheld,
} from '../../domain/device-update.js';
import { DEFAULT_POLICY, POLICY_BOUNDS, resolvePolicy, wholePolicy } from '../../domain/policy.js';

type Event = (state: DeviceUpdateState, atMs: number) => DeviceUpdateState;

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.constant<Event>(notified),
  fc.constant<Event>(unreachable),
  fc.constant<Event>(silent),
  fc.constant<Event>(left),
  fc.constant<Event>(returned),
  fc.constant<Event>(downloading),
  fc.integer({ min: 0, max: 100 }).map<Event>((step) => (state, atMs) => progressed(state, step, atMs)),
  fc.constant<Event>((state, atMs) => succeeded(state, atMs)),
  fc.constant<Event>((state, atMs) => failed(state, 'stalled', atMs)),
  fc.constant<Event>((state, atMs) => cancelled(state, atMs, 'by hand')),
  fc
    .integer({ min: 0, max: 100 })
    .map<Event>(
      (step) => (state, atMs) =>
        caughtUp(
          state,
          { step, startedAtMs: atMs, lastProgressAtMs: atMs, hundredAtMs: step === 100 ? atMs : null },
          atMs,
        ),
    ),
);

const story = (events: readonly Event[]): DeviceUpdateState[] =>
  events.reduce<DeviceUpdateState[]>(
    (states, event, i) => [...states, event(states.at(-1) ?? initialState(0), i + 1)],
    [initialState(0)],
  );

describe('the state of a device update', () => {
  it('never changes once it has ended, whatever is reported later', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
        const states = story(events);
        const end = states.findIndex(({ status }) => !isOpen(status));
        if (end >= 0) for (const state of states.slice(end)) expect(state).toEqual(states[end]);
      }),
    );
  });

  it('never loses percent, nor goes back from upgrading while it is open', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
        story(events).reduce((before, after) => {
          expect(after.step ?? -1).toBeGreaterThanOrEqual(before.step ?? -1);
          if (before.status === 'upgrading') expect(['pending', 'notified']).not.toContain(after.status);
          return after;
        });
      }),
    );
  });

  it('has an outcome just when it is completed, and a cause just when it has failed', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
        for (const { status, outcome, cause, endedAtMs } of story(events)) {
          expect(outcome !== null).toBe(status === 'completed');
          expect(cause !== null).toBe(outcome === 'failed');
          expect(endedAtMs !== null).toBe(!isOpen(status));
        }
      }),
    );
  });

  it('always waits for something with a clock while it is open, and for nothing afterwards', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
        for (const state of story(events)) {
          const wait = waitingFor(state, DEFAULT_POLICY.batch, 'mqtt', 0);
          expect(wait !== undefined).toBe(isOpen(state.status));
          if (wait) expect(wait.untilMs).toBeGreaterThan(wait.sinceMs);
        }
      }),
    );
  });

  it('counts as started only after the notification and a progress report [seed: validate]', () => {
    expect(progressed(initialState(0), 10, 1)).toEqual(initialState(0));
    expect(notified(initialState(0), 1)).toMatchObject({ status: 'notified', startedAtMs: null });
    expect(progressed(notified(initialState(0), 1), 0, 2)).toMatchObject({
      status: 'upgrading',
      startedAtMs: 2,
      step: 0,
    });
  });

  it('keeps the first report of step 100 as the start of the confirmation time', () => {
    const done = progressed(progressed(notified(initialState(0), 1), 100, 5), 100, 9);
    expect(done.hundredAtMs).toBe(5);
  });
});

describe('steps that mean failure [protocol: progress]', () => {
  it.each([
    [-1, 'update-failed'],
    [-2, 'download-failed'],
    [-3, 'verification-failed'],
    [-4, 'extraction-failed'],
    [-5, 'update-failed'],
    [-100, 'update-failed'],
    [0, undefined],
    [50, undefined],
  ])('%i stands for %s', (step, cause) => {
    expect(causeOfStep(step)).toBe(cause);
  });
});

describe('what a device update waits for', () => {
  const policy = DEFAULT_POLICY.batch;
  it('doubles the response time at each silence', () => {
    const times = [0, 1, 2].map((silences) => responseTimeoutMs(policy, silences) / policy.responseTimeoutMs);
    expect(times).toEqual([1, 2, 4]);
  });

  it('never promises more than the overall time', () => {
    const state = progressed(progressed(notified(initialState(0), 1), 0, 2), 50, 2 + policy.overallTimeoutMs - 5);
    expect(waitingFor(state, policy, 'mqtt', 0)?.untilMs).toBe(2 + policy.overallTimeoutMs);
  });

  it('names the cause with which the wait would end', () => {
    const offline = initialState(0);
    expect(waitingFor(offline, policy, 'mqtt', 0)?.then).toContain('offline-expired');
    expect(waitingFor(offline, policy, 'coap', 0)?.then).toContain('unreachable-transient');
    const silentTwice = silent(silent(notified(offline, 1)));
    expect(waitingFor(silentTwice, policy, 'mqtt', 0)?.then).toContain('no-response');
  });
});

describe('a device that left in mid-update', () => {
  const policy = DEFAULT_POLICY.batch;
  const away = left(progressed(notified(initialState(0), 1_000), 40, 2_000), 5_000);

  it('is back by whatever comes from it later, and by nothing that came before', () => {
    expect(isAway(away)).toBe(true);
    expect(isAway(progressed(away, 30, 4_000))).toBe(true);
    for (const back of [progressed(away, 50, 6_000), downloading(away, 6_000), returned(away, 4_000)]) {
      expect(isAway(back)).toBe(false);
      expect(waitingFor(back, policy, 'mqtt', 0)).toMatchObject({ what: 'progress' });
    }
  });

  it('is waited for no longer than the overall time, nor than its own', () => {
    expect(waitingFor(away, policy, 'mqtt', 0)).toMatchObject({
      ...{ what: 'return', sinceMs: 5_000, untilMs: 2_000 + policy.overallTimeoutMs },
      then: 'goes on when it is back; else fails as offline-expired',
    });
    const short = { ...policy, offlineMidUpdateMs: 60_000 };
    expect(waitingFor(away, short, 'mqtt', 0)?.untilMs).toBe(65_000);
  });

  it('was not away before it began', () => {
    const before = notified(initialState(0), 1_000);
    expect(left(before, 5_000)).toBe(before);
  });
});

describe('the policies of older releases', () => {
  it('wait for no device that left in mid-update', () => {
    const { offlineMidUpdateMs: _, ...older } = DEFAULT_POLICY.batch;
    expect(wholePolicy(older)).toMatchObject({ offlineMidUpdateMs: 0 });
  });
});

describe('the hold on devices that keep reconnecting', () => {
  it('lets the first five through and never waits more than an hour', () => {
    expect([0, 1, 4].map(onlineBackoffMs)).toEqual([0, 0, 0]);
    expect(onlineBackoffMs(5)).toBeGreaterThan(0);
    expect(onlineBackoffMs(1_000)).toBe(3_600_000);
  });
});

describe('the policy of a task', () => {
  it('takes the defaults of its kind, and what the operator set over them', () => {
    expect(resolvePolicy('verification')).toEqual(DEFAULT_POLICY.verification);
    expect(resolvePolicy('batch', { stallTimeoutMs: 5_000 })).toEqual({
      ...DEFAULT_POLICY.batch,
      stallTimeoutMs: 5_000,
    });
  });

  it.each(Object.entries(POLICY_BOUNDS))('holds %s to its bounds', (field, { min, max }) => {
    for (const value of [min, max])
      expect(resolvePolicy('batch', { [field]: value })).toMatchObject({ [field]: value });
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN]) {
      expect(() => resolvePolicy('batch', { [field]: value })).toThrow(`policy.${field}`);
    }
  });
});

describe('the times of reports', () => {
  const begun = initialState(1_000);

  it('are taken as they are between the beginning and now', () => {
    expect(plausibleTime(5_000, begun, 9_000)).toBe(5_000);
  });

  it('never lie in the future or before the update, whatever a clock did', () => {
    expect(plausibleTime(99_000_000, begun, 9_000)).toBe(9_000);
    expect(plausibleTime(1, begun, 9_000)).toBe(1_000);
    const caught = caughtUp(
      notified(begun, 2_000),
      { step: 100, startedAtMs: 1, lastProgressAtMs: 99_000_000, hundredAtMs: 99_000_000 },
      9_000,
    );
    expect(caught).toMatchObject({ startedAtMs: 1_000, lastProgressAtMs: 9_000, hundredAtMs: 9_000 });
  });
});

describe('the grace after an outage of Ferry', () => {
  const policy = DEFAULT_POLICY.batch;
  const state = progressed(notified(initialState(0), 1), 10, 1_000);
  const waiting = waitingFor(state, policy, 'mqtt', 0);

  it('gives devices five minutes from its end, and no more than the limit itself', () => {
    expect(graceUntilMs(waiting, 7_000_000)).toBe(7_000_000 + 300_000);
    const short = waitingFor(state, { ...policy, stallTimeoutMs: 4_000 }, 'mqtt', 0);
    expect(graceUntilMs(short, 7_000_000)).toBe(7_004_000);
  });

  it('is over long since where Ferry was there all the time', () => {
    expect(graceUntilMs(waiting, 0)).toBeLessThan(waiting?.untilMs ?? 0);
  });
});

describe('an update whose firmware file is damaged', () => {
  const policy = DEFAULT_POLICY.batch;
  it('waits with that as its reason and the clock of its offline time, until it is notified', () => {
    const held = withheld(initialState(1_000), 'file-damaged');
    expect(waitingFor(held, policy, 'mqtt', 0)).toMatchObject({
      what: 'firmware-file',
      untilMs: 1_000 + policy.offlineTimeoutMs,
      text: expect.stringContaining('Add the same file again') as unknown,
    });
    expect(waitingFor(notified(held, 2_000), policy, 'mqtt', 0)).toMatchObject({ what: 'response' });
    expect(notified(held, 2_000).detail).toBeNull();
  });
});
