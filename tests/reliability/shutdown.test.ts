import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../support/processes.js';
import { Ground } from './ground.js';

/* How the service ends: what it has begun is finished, what it has not is left for the next start, nothing survives it. */

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
beforeEach(async () => {
  if (!ground.service.isRunning) await ground.service.start();
});
afterAll(() => ground.close());

describe('SIGTERM', () => {
  it('lets an upload under way finish', async () => {
    const boundary = 'the-boundary';
    const field = (name: string, value: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const upload = request(new URL('/v1/firmware', ground.service.url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ground.service.token}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
      },
    });
    const answered = once(upload, 'response');
    upload.write(field('name', 'late') + field('productKey', 'lamp') + field('version', '9.0'));
    upload.write(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n\r\nthe first half, `,
    );
    // The service has the connection once it answers another request behind it.
    await ground.service.api.listTasks();
    const ended = ground.service.signal('SIGTERM');
    upload.end(`and the second\r\n--${boundary}--\r\n`);
    const [response] = (await answered) as [{ statusCode: number; resume: () => void }];
    response.resume();
    expect(response.statusCode).toBe(201);
    await ended;
    expect(ground.service.exitCode).toBe(0);
    await ground.service.start();
    expect((await ground.service.api.listFirmware()).items[0]).toMatchObject({ name: 'late', version: '9.0' });
  });

  it('acknowledges no report that the records don’t have, and stops Temporal', async () => {
    const { id } = await ground.verifiedFirmware();
    await ground.register('reporting', '1.0');
    const device = await ground.connect('reporting');
    await ground.service.api.createBatchUpdate(id, { sourceVersions: ['1.0'] });
    await device.notification();
    const temporal = await ground.service.temporalPid();
    let acknowledged = -1;
    let ended: Promise<void> | undefined;
    for (let step = 0; (await device.tryProgress(step)) === 'acknowledged'; step = Math.min(step + 1, 99)) {
      acknowledged = step;
      if (step === 20) ended = ground.service.signal('SIGTERM');
    }
    await ended;
    expect(ground.service.exitCode).toBe(0);
    expect(acknowledged).toBeGreaterThanOrEqual(20);
    const db = new Database(join(ground.service.folder, 'data', 'ferry.db'), { readonly: true });
    const row = db
      .prepare<[], { step: number }>("SELECT step FROM device_updates WHERE device_name = 'reporting'")
      .get();
    db.close();
    expect(row?.step).toBeGreaterThanOrEqual(acknowledged);
    expect(isAlive(temporal)).toBe(false);
  });

  it('ends the service and its Temporal also when that answers nothing any more', async () => {
    const temporal = await ground.service.temporalPid();
    await ground.service.signalTemporal('SIGSTOP');
    await ground.service.signal('SIGTERM');
    expect(isAlive(temporal)).toBe(false);
  });

  it('ends a service that is still starting', async () => {
    await ground.service.signal('SIGTERM');
    await ground.service.spawn();
    await ground.until(
      () => ground.service.temporalPid(),
      (pid) => pid !== undefined,
    );
    const temporal = await ground.service.temporalPid();
    await ground.service.signal('SIGTERM');
    expect(ground.service.exitCode).toBe(0);
    expect(isAlive(temporal)).toBe(false);
  });
});

describe('a second signal', () => {
  it('ends the service at once, its Temporal with it', async () => {
    const temporal = await ground.service.temporalPid();
    // A stopped Temporal keeps the first signal's shutdown waiting.
    await ground.service.signalTemporal('SIGSTOP');
    const ended = ground.service.signal('SIGINT');
    await ground.service.says('a second Ctrl-C ends it at once');
    void ground.service.signal('SIGINT');
    await ended;
    expect(ground.service.exitCode).toBe(130);
    await ground.until(
      () => Promise.resolve(isAlive(temporal)),
      (alive) => !alive,
    );
  });
});
