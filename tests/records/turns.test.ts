import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { Builder } from './builder.js';

/* What looks at a whole fleet does it in parts, or in another thread: others have their turn meanwhile. */

const DEVICES = 25_000;
const nameOf = (i: number) => `lamp-${String(i).padStart(5, '0')}`;

let opened: TestRecords;
let build: Builder;
let firmwareId: string;
beforeAll(async () => {
  opened = await openTestRecords();
  build = new Builder(opened.records);
  await build.product();
  firmwareId = await build.verified('2.0.0');
  fill();
});
afterAll(() => opened.close());

/** Straight into the database; every thousandth device is online, the last one is revoked. */
function fill(): void {
  const db = new Database(opened.path);
  db.exec('BEGIN');
  const device = db.prepare(
    `INSERT INTO devices (product_key, device_name, device_secret, protocol, online, revoked_at_ms, created_at_ms)
     VALUES (?, ?, 'secret', 'mqtt', ?, ?, 1)`,
  );
  const version = db.prepare(`INSERT INTO device_versions VALUES (?, ?, 'default', ?, 1)`);
  for (let i = 0; i < DEVICES; i++) {
    device.run(build.productKey, nameOf(i), i % 1_000 === 0 ? 1 : 0, i === DEVICES - 1 ? 1 : null);
    version.run(build.productKey, nameOf(i), i < DEVICES - 10 ? '1.0.0' : '1.1.0');
  }
  db.exec('COMMIT');
  db.close();
}

/** What came of it, and how many turns others had meanwhile. */
async function watched<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly turns: number }> {
  let [turns, isOver] = [0, false];
  const turn = () => {
    if (isOver) return;
    turns++;
    setImmediate(turn);
  };
  // What came before has had its end.
  await new Promise(setImmediate);
  setImmediate(turn);
  const value = await work();
  isOver = true;
  return { value, turns };
}

describe('the preview of a batch for all devices of some versions', () => {
  it('counts them all, and others have their turn between the parts', async () => {
    const batch = build.newBatch(firmwareId, ['1.0.0', '1.1.0', '1.0.0', '3.0.0']);
    const { value, turns } = await watched(() => opened.records.previewBatch(batch));
    expect(value).toMatchObject({ devices: DEVICES - 1, online: 25, offline: DEVICES - 26, transient: 0, busy: 0 });
    expect(value.versions).toEqual([
      { version: '1.0.0', devices: DEVICES - 10 },
      { version: '1.1.0', devices: 9 },
      { version: '3.0.0', devices: 0 },
    ]);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});

describe('a list of devices that a filter leaves few of', () => {
  const list = (filter: object, page: { limit: number; cursor?: string }) =>
    watched(() => opened.records.listDevices(build.productKey, filter, page));

  it.each([
    ['a version and a name', { version: '1.0.0', search: 'nothing' }],
    ['a version and being online', { version: '1.0.0', online: true, search: '-00001' }],
    ['a name', { search: 'nothing' }],
  ])('is looked for in several turns, by %s', async (_by, filter) => {
    const { value, turns } = await list(filter, { limit: 20 });
    expect(value).toEqual({ items: [], nextCursor: null });
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it('has all of them once, over the ends of turns and of pages', async () => {
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const { value } = await list({ version: '1.0.0', online: true }, { limit: 4, ...(cursor && { cursor }) });
      names.push(...value.items.map(({ deviceName }) => deviceName));
      cursor = value.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(names).toEqual(Array.from({ length: 25 }, (_, i) => nameOf(i * 1_000)));
  });

  it('ends with the page that holds the last of them', async () => {
    const { value } = await list({ search: '0000' }, { limit: 500 });
    expect(value.items).toHaveLength(10 + 2);
    expect(value.nextCursor).toBeNull();
  });
});

describe('the look at all counts', () => {
  it('is another thread’s work, and finds what is wrong', async () => {
    expect(await opened.records.bookkeepingFaults()).toMatchObject([]);
    const db = new Database(opened.path);
    db.exec('UPDATE device_counts SET devices = devices + 1');
    db.exec('UPDATE version_counts SET devices = devices + 1');
    db.close();
    const { value, turns } = await watched(() => opened.records.bookkeepingFaults());
    const { productKey } = build;
    expect(value).toEqual([
      { kind: 'device-counts-wrong', productKey },
      { kind: 'version-counts-wrong', productKey },
    ]);
    expect(turns).toBeGreaterThan(10);
  });
});

describe('a batch of many devices', () => {
  it('leaves nothing of its log for the next commit to write back', async () => {
    const own = await openTestRecords();
    try {
      const large = new Builder(own.records);
      await large.product();
      const names = Array.from({ length: 10_000 }, (_, i) => nameOf(i));
      await large.devices(names);
      await Promise.all(names.map((name) => large.runs(name, '1.0.0')));
      await large.batch(await large.verified('2.0.0'), ['1.0.0']);
      expect(framesNotWrittenBack(own.path)).toBe(0);
    } finally {
      await own.close();
    }
  });
});

/** In the header of the log's index: how many frames there are, and how many of them are in the database too. */
function framesNotWrittenBack(path: string): number {
  const index = readFileSync(`${path}-shm`);
  const [FRAMES, WRITTEN_BACK] = [16, 96];
  return index.readUInt32LE(FRAMES) - index.readUInt32LE(WRITTEN_BACK);
}
