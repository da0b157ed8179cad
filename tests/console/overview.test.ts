import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violationsOf } from './accessibility.js';
import type { Fleet } from './fleet.js';
import { Ground } from './ground.js';
import { Line } from './line.js';

let ground: Ground;
let fleet: Fleet;
beforeAll(async () => {
  ground = await Ground.open();
  fleet = await ground.openFleet();
});
afterAll(() => ground.close());

describe('The overview', () => {
  it('shows the fleet, its running task, what waits for a person, and moves without loading again', async () => {
    const page = await ground.signedIn('/');
    const running = page.getByRole('region', { name: 'Running tasks' });
    await running.getByRole('link', { name: 'Batch update: lamp_main 2.0.0' }).waitFor();
    await running.getByText('Upgrading 2').waitFor();
    await page.getByRole('link', { name: 'lamp_main 2.1.0 is not verified: validate it' }).waitFor();
    await page.getByRole('link', { name: '1 device failed to get lamp_main 2.0.0: look at it' }).first().waitFor();
    const device = fleet.devices.get('lamp-03');
    await device?.progress(100);
    await device?.runs('2.0.0');
    await running.getByText('Succeeded 4').waitFor();
    expect(page.faults).toEqual([]);
  });

  it('catches up with what happened while the connection was lost', async () => {
    const line = await Line.to(ground.ferry.url);
    const page = await ground.signedIn('/', { baseURL: line.url });
    const running = page.getByRole('region', { name: 'Running tasks' });
    await running.getByText('Upgrading 1').waitFor();
    await line.cut();
    await page.getByText('The server does not answer').waitFor();
    const device = fleet.devices.get('lamp-04');
    await device?.progress(100);
    await device?.runs('2.0.0');
    await line.mend();
    await running.getByText('Succeeded 5').waitFor();
    await page.getByText('The server does not answer').waitFor({ state: 'detached' });
    await page.context().close();
    await line.cut();
  });

  it.each(['light', 'dark'] as const)(
    'and the list of devices keep the rules of accessibility (%s)',
    async (colorScheme) => {
      for (const [path, heading] of [
        ['/', 'Overview'],
        ['/devices', 'Devices'],
      ] as const) {
        const page = await ground.signedIn(path, { colorScheme });
        await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
        await page
          .getByRole('link', { name: /lamp-0\d/ })
          .first()
          .waitFor();
        expect(await violationsOf(page), path).toEqual([]);
        await page.context().close();
      }
      const signIn = await ground.visit('/sign-in', { colorScheme });
      await signIn.getByLabel('Token').waitFor();
      expect(await violationsOf(signIn)).toEqual([]);
    },
  );
});
