import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLocalStore } from '../../firmware/local-store.js';
import { createDoctor } from '../../worker/doctor/doctor.js';
import { Builder } from '../records/builder.js';
import { openTestRecords, type TestRecords } from '../support/records.js';

let opened: TestRecords;
let folder: string;
beforeEach(async () => {
  opened = await openTestRecords();
  folder = await mkdtemp(join(tmpdir(), 'ferry-doctor-'));
});
afterEach(async () => {
  await opened.close();
  await rm(folder, { recursive: true, force: true });
});

it('The doctor tells what it would do, what it did, and what it could not do; one failure stops no other repair', async () => {
  const { records } = opened;
  const build = new Builder(records);
  await build.product();
  await build.devices(['a']);
  await build.runs('a', '1.0.0');
  const db = new Database(opened.path);
  db.exec('UPDATE device_counts SET devices = 7; UPDATE version_counts SET devices = 7');
  db.close();
  const doctor = createDoctor({
    records: {
      ...records,
      repairBookkeeping: (fault, atMs) =>
        fault.kind === 'device-counts-wrong'
          ? Promise.reject(new Error('it is locked'))
          : records.repairBookkeeping(fault, atMs),
    },
    store: await openLocalStore(folder, { onDamage: () => undefined }),
    // No run is open.
    client: { workflow: { async *list() {} } } as never,
    log: pino({ level: 'silent' }),
    now: Date.now,
    terminatedByEngine: async () => undefined,
    watchMs: 0,
  });
  const told = async (fix: boolean) =>
    (await doctor.examine(fix)).differences.map(({ kind, fixed, remedy }) => ({ kind, fixed, remedy }));
  expect(await told(false)).toEqual([
    { kind: 'device-counts-wrong', fixed: false, remedy: 'A repair counts them anew.' },
    { kind: 'version-counts-wrong', fixed: false, remedy: 'A repair counts them anew.' },
  ]);
  expect(await told(true)).toEqual([
    {
      ...{ kind: 'device-counts-wrong', fixed: false },
      remedy: 'A repair counts them anew. That has failed; the log of the service says why.',
    },
    { kind: 'version-counts-wrong', fixed: true, remedy: 'They were counted anew.' },
  ]);
});
