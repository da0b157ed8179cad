import { expect, it } from 'vitest';
import { watchIntegrity } from '../../worker/intact-files.js';

/** A store whose answers are counted. */
function watched(answer: () => Promise<'intact' | 'corrupt'>) {
  const looks: string[] = [];
  let nowMs = 0;
  const isIntact = watchIntegrity(
    (sha256) => {
      looks.push(sha256);
      return answer();
    },
    () => nowMs,
  );
  return { looks, isIntact, pass: (ms: number) => (nowMs += ms) };
}

it('looks at a file once for all who ask within a second, and again afterwards', async () => {
  let found: 'intact' | 'corrupt' = 'intact';
  const { looks, isIntact, pass } = watched(() => Promise.resolve(found));
  expect(await Promise.all([isIntact('a'), isIntact('a'), isIntact('b')])).toEqual(['intact', 'intact', 'intact']);
  expect(looks).toEqual(['a', 'b']);
  found = 'corrupt';
  pass(999);
  expect(await isIntact('a')).toBe('intact');
  pass(1);
  expect(await isIntact('a')).toBe('corrupt');
});

it('takes a look that failed for no answer', async () => {
  let fails = true;
  const { isIntact } = watched(() => (fails ? Promise.reject(new Error('disk away')) : Promise.resolve('intact')));
  await expect(isIntact('a')).rejects.toThrow('disk away');
  fails = false;
  expect(await isIntact('a')).toBe('intact');
});
