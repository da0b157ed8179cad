import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WatchedPage } from './browser.js';
import type { Fleet } from './fleet.js';
import { Ground } from './ground.js';

/* What the service refuses, as an operator meets it: what happened, what to do, and nothing typed is lost. */

let ground: Ground;
let fleet: Fleet;
let page: WatchedPage;
let folder: string;

beforeAll(async () => {
  ground = await Ground.open();
  fleet = await ground.openFleet();
  folder = await mkdtemp(join(tmpdir(), 'ferry-refusals-'));
  page = await ground.signedIn('/');
  page.setDefaultTimeout(15_000);
});
afterAll(async () => {
  await ground.close();
  await rm(folder, { recursive: true, force: true });
});

const dialog = () => page.getByRole('dialog');
const file = async (name: string, bytes: number): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, Buffer.alloc(bytes, 1));
  return path;
};

describe('an operator is refused, and told why,', () => {
  it('a version that exists: with the form as it was filled in', async () => {
    await page.goto('/firmware?dialog=new');
    await page.getByLabel('Firmware name').fill('lamp_main');
    await page.getByLabel('Version').fill('2.0.0');
    await page.locator('input[type=file]').setInputFiles(await file('again.bin', 10));
    await dialog().getByRole('button', { name: 'Add' }).click();
    await dialog().getByText('This version exists already').waitFor();
    expect(await page.getByLabel('Version').inputValue()).toBe('2.0.0');
  });

  it('a file that is too large: before it is sent', async () => {
    await page.locator('input[type=file]').setInputFiles(await file('large.bin', 10 * 1024 * 1024 + 1));
    await dialog().getByText('The file is larger than 10 MB').waitFor();
    await page.getByLabel('Version').fill('9.0.0');
    await dialog().getByRole('button', { name: 'Add' }).click();
    expect(await ground.ferry.get<{ items: unknown[] }>('/v1/firmware')).toMatchObject({ body: { items: [{}, {}] } });
    await dialog().getByRole('button', { name: 'Cancel' }).click();
  });

  it('the deletion of a firmware that an open task uses', async () => {
    await page.goto(`/firmware/${fleet.firmwareId}`);
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog().getByRole('button', { name: 'Delete' }).click();
    await dialog().getByText('An open task uses the firmware').waitFor();
    await dialog().getByRole('button', { name: 'Go back' }).click();
  });

  it('a device that exists', async () => {
    await page.goto('/devices?dialog=add');
    await page.getByLabel(/Device names, one a line/).fill('lamp-00');
    await dialog().getByRole('button', { name: 'Add 1 device' }).click();
    await dialog().getByText('A device of that name exists').waitFor();
  });

  it('names in a batch that are none: line by line, before anything is sent', async () => {
    await page.goto(`/firmware/${fleet.firmwareId}`);
    await page.getByRole('button', { name: 'Batch Update' }).click();
    await dialog()
      .getByRole('checkbox', { name: /0\.9\.4/ })
      .check();
    await dialog()
      .getByLabel(/Only these devices/)
      .fill('lamp-13\nnot a name\nlamp-14\n???');
    await dialog().getByText('These lines are no device names: 2 and 4').waitFor();
    await dialog()
      .getByLabel(/Only these devices/)
      .fill('lamp-13\nlamp-14');
    await dialog().getByText('2 offline: notified when they come online').waitFor();
    await dialog().getByRole('button', { name: 'Update 2 devices' }).waitFor();
    await dialog().getByRole('button', { name: 'Cancel' }).click();
  });

  it('the re-initiation of a task that has not ended: the button says so', async () => {
    await page.goto(`/tasks/${fleet.batchId}`);
    await page.getByRole('note', { name: 'The task has not ended yet' }).first().waitFor();
    expect(await page.getByRole('button', { name: 'Re-initiate all failed' }).isDisabled()).toBe(true);
  });

  it('what does not exist', async () => {
    await page.goto('/tasks/nothing');
    await page.getByRole('alert').waitFor();
    await page.goto('/devices/lamps/nobody');
    await page.getByRole('alert').waitFor();
    expect(page.faults).toEqual([]);
  });
});
