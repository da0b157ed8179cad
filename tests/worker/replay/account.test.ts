import { describe, expect, it } from 'vitest';
import { accountOf, type Account } from '../../../worker/replay/account.js';
import { loadHistories } from '../../replay/histories.js';

const saved = new Map((await loadHistories()).map(({ name, history }) => [name, history]));
const told = async (name: string): Promise<Account> => {
  const history = saved.get(`${name.includes('/') ? name : `1/${name}`}.json`);
  if (!history) throw new Error(`There is no history ${name}`);
  return accountOf(history, 'a-workflow');
};
const sentences = ({ events }: Account): string[] => events.flatMap(({ sentence }) => sentence ?? []);

describe('the account of a device update', () => {
  it('tells what happened, in order, and the cause at the end', async () => {
    const account = await told('deviceUpdate-stalls');
    expect(sentences(account)).toEqual([
      expect.stringMatching(/^The update of .*\/stalls to lamp 2\.0\.0 began \(attempt 1, task /),
      'Ferry sent the device its notification.',
      'A clock of 300 s was started.',
      'The device reported step 40.',
      'The clock was stopped: something had come in.',
      'A clock of 1800 s was started.',
      'The time was up.',
      'Ferry looked the device up: connected, runs 1.0.0, step 40.',
      'Ferry wrote the state into the records.',
      'It ended as failed: stalled. The device stopped reporting progress. Its last step was 40.',
    ]);
    expect(account).toMatchObject({
      type: 'deviceUpdate',
      state: { outcome: 'failed', cause: 'stalled' },
      replay: { matches: true, mismatch: null },
    });
  });

  it('gives the state after each event, with what the run waited for', async () => {
    const { events } = await told('deviceUpdate-stalls');
    const after = (sentence: string) => events.find((event) => event.sentence?.startsWith(sentence))?.state;
    expect(after('Ferry sent')).toMatchObject({ status: 'notified', waitingFor: { what: 'response' } });
    expect(after('The device reported step 40')).toMatchObject({ status: 'upgrading', step: 40 });
    expect(after('It ended')).toMatchObject({ outcome: 'failed', waitingFor: null });
    expect(events[0]?.atMs).toBeLessThan(events.at(-1)?.atMs ?? 0);
  });

  it.each([
    ['deviceUpdate-silent', 'no-response'],
    ['deviceUpdate-offline', 'offline-expired'],
    ['deviceUpdate-unconfirmed', 'version-unconfirmed'],
    ['deviceUpdate-fails', 'verification-failed'],
  ])('of %s ends with %s', async (name, cause) => {
    expect((await told(name)).state).toMatchObject({ outcome: 'failed', cause });
  });

  it('of a cancelled one ends as cancelled', async () => {
    const account = await told('deviceUpdate-cancelled');
    expect(account.state).toMatchObject({ status: 'cancelled' });
    expect(sentences(account)).toContain('Its cancellation was requested.');
  });
});

describe('the account of a task', () => {
  it('tells how runs of which no device was told were closed', async () => {
    const account = sentences(await told('6/shard-closes-untold'));
    expect(account).toContain('Ferry began its step closeUntoldRuns.');
    expect(account).toContain('Ferry closed 2 run(s) of which no device was told.');
  });

  it('names the devices that were refused as busy, and how the others ended', async () => {
    const shard = sentences(await told('shard-busy'));
    expect(shard).toContainEqual(
      expect.stringMatching(/\/c was refused: the device has not finished its last update\.$/),
    );
    expect(shard).toContainEqual(expect.stringMatching(/\/d ended: succeeded\.$/));
    expect((await told('verification-mixed')).state).toEqual({ succeeded: 2, failed: 5, cancelled: 0 });
  });

  it.each(Array.from(saved.keys()))('of %s says something of every event but bookkeeping', async (name) => {
    const { events, type } = await told(name.slice(0, -5));
    expect(['deviceUpdate', 'shard', 'batchUpdate', 'verification']).toContain(type);
    const silent = events.filter(({ sentence }) => sentence === null).map(({ type: eventType }) => eventType);
    expect(new Set(silent)).not.toContain('');
    for (const eventType of silent) {
      expect(eventType).toMatch(
        /^WorkflowTask(Scheduled|Started|Completed)$|^ActivityTaskStarted$|Initiated$|^ExternalWorkflowExecution|^UpsertWorkflow/,
      );
    }
  });
});
