import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Device } from '../e2e/device.js';
import { Ground } from './ground.js';

/* A disk of its own for the service, to be filled and write-protected: a tmpfs, where the tests may mount one. */

const mount = (...args: string[]): boolean => {
  try {
    execFileSync('mount', args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const unmount = (path: string) => execFileSync('umount', ['-l', path], { stdio: 'ignore' });

const canMount = await (async () => {
  const probe = join('/tmp', `ferry-mount-${process.pid}`);
  await mkdir(probe);
  const mounted = mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe);
  if (mounted) unmount(probe);
  await rm(probe, { recursive: true });
  return mounted;
})();

describe.skipIf(!canMount)('the disk of the service', () => {
  let ground: Ground;
  let data: string;
  let device: Device;
  let taskId: string;

  beforeEach(async () => {
    ground = await Ground.open({}, async (folder) => {
      await mkdir(folder);
      if (!mount('-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder)) throw new Error('no tmpfs');
    });
    data = join(ground.service.folder, 'data');
    const { id } = await ground.verifiedFirmware();
    await ground.register('lamp-1', '1.0');
    device = await ground.connect('lamp-1');
    taskId = (await ground.service.api.createBatchUpdate(id, { sourceVersions: ['1.0'] })).id;
    await device.notification();
    await device.progress(10);
  });
  afterEach(async () => {
    await ground.service.destroy();
    unmount(data);
    await ground.close();
  });

  const refusesWrites = async () => {
    const refusal: unknown = await ground.service.api.createProduct({ name: 'x'.repeat(60) }).then(
      () => undefined,
      (error: unknown) => error,
    );
    return (refusal as { code?: string } | undefined)?.code;
  };
  const isReady = ({ status }: { status: string }) => status === 'ready';
  const readiness = () => ground.service.api.readiness();

  /** The update goes on to its end: nothing is stuck, nothing was lost. */
  async function goesOn(acknowledged: number): Promise<void> {
    await ground.until(readiness, isReady);
    device = await ground.connect('lamp-1');
    const { items } = await ground.service.api.listDeviceUpdates(taskId);
    expect(items[0]?.step).toBeGreaterThanOrEqual(acknowledged);
    await device.progress(100);
    await device.runs('2.1');
    const ended = await ground.untilTask(taskId, ({ status }) => status === 'completed');
    expect(ended.counts).toMatchObject({ succeeded: 1, total: 1 });
    await device.leave();
  }

  it('when full: writes are refused with the reason, nothing is acknowledged that is not kept, reads are answered; with room all goes on', async () => {
    await writeFile(join(data, 'ballast'), Buffer.alloc(64 * 1024 * 1024)).catch(() => undefined);
    await ground.until(refusesWrites, (code) => code === 'storage-unavailable');
    expect((await ground.service.api.getTask(taskId)).counts.upgrading).toBe(1);
    // SQLite may find room for a page or two in its log: what it acknowledges, it has.
    const acknowledged = (await device.tryProgress(50)) === 'acknowledged' ? 50 : 10;
    await rm(join(data, 'ballast'));
    await goesOn(acknowledged);
    expect(await refusesWrites()).toBeUndefined();
  });

  it('when read-only at the start: one clear message; writable again, all goes on', async () => {
    await ground.service.signal('SIGTERM');
    expect(mount('-o', 'remount,ro', data)).toBe(true);
    await expect(ground.service.start()).rejects.toThrow(/The data folder .* can't be written .*FERRY_DATA_DIR/);
    expect(mount('-o', 'remount,rw', data)).toBe(true);
    await ground.service.start();
    await goesOn(10);
  });
});
