import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground } from './ground.js';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
  await ground.ferry.post('/v1/products', { productKey: 'lamps', name: 'Lamp' });
  await ground.ferry.post('/v1/products/lamps/devices', {
    devices: Array.from({ length: 120 }, (_, i) => ({ deviceName: `lamp-${String(i).padStart(3, '0')}` })),
  });
});
afterAll(() => ground.close());

describe('The console', () => {
  it('speaks the browser’s language, and the other one when it is chosen, also after loading again', async () => {
    const page = await ground.signedIn('/', { locale: 'zh-CN' });
    await page.getByRole('heading', { name: '概览', level: 1 }).waitFor();
    expect(await page.getAttribute('html', 'lang')).toBe('zh-CN');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await page.getByRole('button', { name: '简体中文' }).click();
    await page.getByRole('link', { name: '设备' }).first().click();
    await page.getByRole('heading', { name: '设备', level: 1 }).waitFor();
    expect(page.faults).toEqual([]);
  });

  it('says when the server is away, disables what it can’t do, and goes on by itself', async () => {
    const page = await ground.signedIn('/devices');
    await page.getByRole('link', { name: 'lamp-000' }).waitFor();
    await ground.ferry.pause();
    await page.getByText('The server does not answer').waitFor();
    expect(await page.getByRole('button', { name: 'Sign out' }).isDisabled()).toBe(true);
    expect(await page.getByRole('link', { name: 'lamp-000' }).isVisible()).toBe(true);
    await ground.ferry.again();
    await page.getByText('The server does not answer').waitFor({ state: 'detached' });
    expect(await page.getByRole('button', { name: 'Sign out' }).isEnabled()).toBe(true);
    expect(page.faults).toEqual([]);
  });

  it('keeps filters and pages in the address, so that a link shows the same', async () => {
    const page = await ground.signedIn('/devices');
    await page.getByRole('link', { name: 'lamp-000' }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('link', { name: 'lamp-050' }).waitFor();
    await page.getByText('Page 2').waitFor();
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByRole('link', { name: 'lamp-000' }).waitFor();
    await page.getByRole('searchbox').fill('lamp-11');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'lamp-119' }).waitFor();
    expect(page.url()).toContain('search=lamp-11');
    const other = await ground.signedIn(page.url());
    await other.getByRole('link', { name: 'lamp-110' }).waitFor();
    expect(await other.getByRole('link', { name: /^lamp-\d/ }).count()).toBe(10);
    await other.getByRole('searchbox').fill('nothing');
    await other.keyboard.press('Enter');
    await other.getByText('No device fits the filter.').waitFor();
  });

  it('has a page for what is not there', async () => {
    const page = await ground.signedIn('/');
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await page.evaluate(`history.pushState({}, '', '/no/such/page'); dispatchEvent(new PopStateEvent('popstate'))`);
    await page.getByText('There is no such page').waitFor();
  });
});
