import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSignInPath } from '../../api/sessions.js';
import { NO_SECRETS } from '../../records/sealing.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { ADMIN_TOKEN, Ground } from './ground.js';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describe('Signing in', () => {
  it('with the token shows the page that was asked for, and signing out shows nothing any more', async () => {
    const page = await ground.visit('/devices?online=true');
    await page.getByLabel('Token').fill(ADMIN_TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toContain('/devices?online=true');
    const cookies = await page.context().cookies();
    expect(cookies).toMatchObject([{ name: 'ferry-session', httpOnly: true, sameSite: 'Strict' }]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    expect(await page.context().cookies()).toEqual([]);
    expect(page.faults).toEqual([]);
  });

  it('is refused with a wrong token, which says what to do', async () => {
    const page = await ground.visit('/');
    await page.getByLabel('Token').fill('a-wrong-token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'The token is not valid' });
    await alert.waitFor();
    expect(await alert.textContent()).toContain('Copy the whole token');
    expect(new URL(page.url()).pathname).toBe('/sign-in');
    expect(page.faults).toEqual([]);
  });

  it('with a link works once, and leaves its secret nowhere', async () => {
    const records = openSqliteRecords({
      path: `${ground.ferry.folder}/ferry.db`,
      synchronous: 'normal',
      sealer: NO_SECRETS,
    });
    const path = await createSignInPath(records, Date.now());
    await records.close();
    const asked: string[] = [];
    const page = await ground.visit('about:blank');
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(path);
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    expect(page.url()).not.toContain('link');
    expect(
      asked.filter((url) => new URL(url).pathname.includes('link') || new URL(url).search.includes('link')),
    ).toEqual([]);
    const late = await ground.visit(path);
    await late.getByText('was used or has expired').waitFor();
    expect(late.url()).not.toContain('#');
  });

  it('never leads to another site', async () => {
    for (const next of ['https://elsewhere.test/', '//elsewhere.test/', '/\\elsewhere.test', 'javascript:alert(1)']) {
      const page = await ground.signedIn(`/sign-in?next=${encodeURIComponent(next)}`);
      await page.waitForURL((url) => url.pathname !== '/sign-in');
      expect(new URL(page.url()).origin).toBe(ground.ferry.url);
      await page.context().close();
    }
  });

  it('has to be done again when the session has ended elsewhere', async () => {
    const page = await ground.signedIn('/devices');
    await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
    await page.request.delete('/v1/session', { headers: { 'x-ferry-console': '1' } });
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByLabel('Token').waitFor();
  });
});
