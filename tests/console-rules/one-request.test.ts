import { beforeEach, describe, expect, it } from 'vitest';
import { OneRequest } from '../../console/data/one-request.js';

/* What is asked for while a request is under way. */

describe('What is asked for while a request is under way', () => {
  let requests: OneRequest<string>;
  let sent: string[];
  let answers: ((error?: Error) => void)[];
  const ask = (asked: unknown, name: string) =>
    requests.ask(asked, () => {
      sent.push(name);
      return new Promise((resolve, reject) => {
        answers.push((error) => (error ? reject(error) : resolve(name)));
      });
    });
  const file = new Blob(['firmware']);
  beforeEach(() => {
    [requests, sent, answers] = [new OneRequest(), [], []];
  });

  it('is that request if it is for the same', async () => {
    const one = ask(['task-1', { deviceNames: ['a'], file }], 'one');
    const again = ask(['task-1', { deviceNames: ['a'], file }], 'again');
    answers[0]?.();
    expect(await Promise.all([one, again])).toEqual(['one', 'one']);
    expect(sent).toEqual(['one']);
  });

  it.each([
    ['device', ['task-1', { deviceNames: ['b'], file }]],
    ['task', ['task-2', { deviceNames: ['a'], file }]],
    ['file', ['task-1', { deviceNames: ['a'], file: new Blob(['firmware']) }]],
  ])('is sent after it if it is for another %s, whatever has become of it', async (_what, asked) => {
    const one = ask(['task-1', { deviceNames: ['a'], file }], 'one');
    const other = ask(asked, 'other');
    const otherAgain = ask(asked, 'again');
    expect(sent).toEqual(['one']);
    answers[0]?.(new Error('refused'));
    await expect(one).rejects.toThrow('refused');
    await expect.poll(() => sent).toEqual(['one', 'other']);
    answers[1]?.();
    expect(await Promise.all([other, otherAgain])).toEqual(['other', 'other']);
  });

  it('is sent anew once it has ended', async () => {
    for (const name of ['one', 'two']) {
      const answer = ask('the same', name);
      answers.at(-1)?.();
      expect(await answer).toBe(name);
    }
    expect(sent).toEqual(['one', 'two']);
  });
});
