import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalStore } from '../../firmware/local-store.js';
import type { FirmwareStore } from '../../firmware/store.js';

const unused = () => Promise.resolve(false);
const used = () => Promise.resolve(true);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('The local firmware store', () => {
  let folder: string;
  let store: FirmwareStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ferry-store-'));
    store = await openLocalStore(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Every file below the folder. */
  async function files(): Promise<string[]> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }
  const put = (bytes: Buffer, bytesMax = 1_000_000) => store.put(Readable.from([bytes]), bytesMax);
  const kept = async (bytes: Buffer) => {
    const upload = await put(bytes);
    await upload.keep();
    return upload;
  };
  const content = async (address: string, range?: { start: number; end: number }) =>
    buffer(await store.read(address, range));

  it('keeps a file under its SHA-256, with both digests computed on the way', async () => {
    const bytes = randomBytes(300_000);
    const upload = await store.put(Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)]), 300_000);
    await upload.keep();
    const md5 = createHash('md5').update(bytes).digest('hex');
    expect(upload).toMatchObject({ sizeBytes: 300_000, sha256: sha256(bytes), md5 });
    expect(await content(upload.sha256)).toEqual(bytes);
    const address = upload.sha256;
    expect((await stat(join(folder, address.slice(0, 2), address.slice(2, 4), address))).size).toBe(300_000);
    expect(await files()).toEqual([address]);
  });

  it('reads a range, first and last byte inclusive', async () => {
    const { sha256: address } = await kept(Buffer.from('0123456789'));
    expect((await content(address, { start: 2, end: 4 })).toString()).toBe('234');
    expect((await content(address, { start: 9, end: 9 })).toString()).toBe('9');
  });

  it('takes a file of exactly the limit, and refuses one byte more, with nothing left behind', async () => {
    await expect(put(Buffer.alloc(11), 10)).rejects.toMatchObject({ code: 'firmware-too-large' });
    expect(await files()).toEqual([]);
    await expect(put(Buffer.alloc(10), 10)).resolves.toMatchObject({ sizeBytes: 10 });
  });

  it('stops reading past the limit', async () => {
    let pieces = 0;
    const endless = new Readable({
      highWaterMark: 1,
      read() {
        pieces++;
        this.push(Buffer.alloc(1_000));
      },
    });
    await expect(store.put(endless, 10_000)).rejects.toMatchObject({ code: 'firmware-too-large' });
    expect(pieces).toBeLessThan(20);
    expect(endless.destroyed).toBe(true);
  });

  it('refuses an empty file, with nothing left behind', async () => {
    await expect(store.put(Readable.from([]), 10)).rejects.toMatchObject({ code: 'firmware-empty' });
    expect(await files()).toEqual([]);
  });

  it('leaves nothing of a file that breaks off', async () => {
    const broken = new Readable({
      read() {
        this.push(Buffer.alloc(10));
        this.destroy(new Error('gone'));
      },
    });
    await expect(store.put(broken, 1_000)).rejects.toThrow('gone');
    expect(await files()).toEqual([]);
  });

  it('leaves nothing of a discarded upload, but what a firmware uses', async () => {
    const bytes = Buffer.from('shared');
    await (await put(bytes)).discard(unused);
    expect(await files()).toEqual([]);

    await kept(bytes);
    await (await put(bytes)).discard(used);
    expect(await content(sha256(bytes))).toEqual(bytes);
    expect(await files()).toEqual([sha256(bytes)]);
  });

  it('loses no file when one upload of a content is kept while another is discarded', async () => {
    const bytes = Buffer.from('shared');
    const [accepted, refused] = await Promise.all([put(bytes), put(bytes)]);
    // The worst moment: the refused one has seen no user, and the other is accepted just then.
    let recorded = false;
    await refused.discard(async () => {
      const seen = recorded;
      if (!seen) {
        recorded = true;
        await accepted.keep();
      }
      return seen;
    });
    expect(await content(sha256(bytes))).toEqual(bytes);
    expect(await files()).toEqual([sha256(bytes)]);
  });

  it('puts a kept file back that a discarded upload has just removed', async () => {
    const bytes = Buffer.from('shared');
    const [accepted, refused] = await Promise.all([put(bytes), put(bytes)]);
    await refused.discard(unused);
    await accepted.keep();
    expect(await content(sha256(bytes))).toEqual(bytes);
  });

  it('removes a file once, and does not mind when it is gone', async () => {
    const { sha256: address } = await kept(Buffer.from('old'));
    await store.remove(address, used);
    expect(await files()).toEqual([address]);
    await store.remove(address, unused);
    await store.remove(address, unused);
    expect(await files()).toEqual([]);
    await expect(store.read(address)).rejects.toMatchObject({ code: 'firmware-file-damaged' });
  });

  describe('of a file that is damaged on disk', () => {
    const bytes = Buffer.from('as it was added');
    const pathOf = (address: string) => join(folder, address.slice(0, 2), address.slice(2, 4), address);

    it('never serves a byte, says why, and tells of it once', async () => {
      const told: string[] = [];
      store = await openLocalStore(folder, { onDamage: (address, integrity) => told.push(`${address} ${integrity}`) });
      const { sha256: address } = await kept(bytes);
      expect(await store.isIntact(address)).toBe('intact');
      await writeFile(pathOf(address), 'as it was ADDED');
      const reads = await Promise.allSettled(
        Array.from({ length: 50 }, () => store.read(address, { start: 0, end: 3 })),
      );
      for (const read of reads) expect(read).toMatchObject({ reason: { code: 'firmware-file-damaged' } });
      expect(await store.isIntact(address)).toBe('corrupt');
      expect(told).toEqual([`${address} corrupt`]);
      await rm(pathOf(address));
      expect(await store.isIntact(address)).toBe('missing');
      expect(told).toHaveLength(2);
    });

    it('counts as damaged while it can’t be read at all, tells of it once, and is served again when it can', async () => {
      const told: string[] = [];
      store = await openLocalStore(folder, { onDamage: (address, integrity) => told.push(`${address} ${integrity}`) });
      const { sha256: address } = await kept(bytes);
      const aside = `${pathOf(address)}.aside`;
      await rename(pathOf(address), aside);
      await mkdir(pathOf(address)); // for a bad sector, or for foreign rights, which a test as root can't make
      expect(await store.isIntact(address)).toBe('corrupt');
      expect(await store.isIntact(address)).toBe('corrupt');
      await expect(store.read(address)).rejects.toMatchObject({ code: 'firmware-file-damaged' });
      expect(told).toEqual([`${address} corrupt`]);
      await rmdir(pathOf(address));
      await rename(aside, pathOf(address));
      expect(await store.isIntact(address)).toBe('intact');
    });

    it('is repaired by adding the same content again, also when that is refused as a duplicate', async () => {
      const { sha256: address } = await kept(bytes);
      for (const settle of ['keep', 'discard'] as const) {
        await writeFile(pathOf(address), 'rubbish');
        const upload = await put(bytes);
        await (settle === 'keep' ? upload.keep() : upload.discard(used));
        expect(await store.isIntact(address)).toBe('intact');
        expect(await buffer(await store.read(address))).toEqual(bytes);
        expect(await files()).toEqual([address]);
      }
    });
  });

  it('cleans at the start what a killed process left half-done', async () => {
    const { sha256: address } = await kept(Buffer.from('whole'));
    await mkdir(join(folder, 'incoming'), { recursive: true });
    await writeFile(join(folder, 'incoming', 'half'), 'ha');
    store = await openLocalStore(folder);
    expect(await files()).toEqual([address]);
    expect((await content(address)).toString()).toBe('whole');
  });

  it.each(['', '..', '../../secret', 'A'.repeat(64), 'g'.repeat(64), `${'a'.repeat(63)}/`])(
    'reads nothing at the address "%s"',
    async (address) => {
      await expect(store.read(address)).rejects.toThrow('content address');
    },
  );
});
