import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { Records } from '../../../records/records.js';
import { NO_SECRETS } from '../../../records/sealing.js';
import { openSqliteRecords } from '../../../records/sqlite/sqlite-records.js';
import { firmwarePath, type Manifest } from '../../../worker/backup/manifest.js';

/** A data folder as a stopped service leaves it: real records, a database in the runs' place, firmware files. */
export class World {
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;

  private constructor(readonly folder: string) {
    this.dataDir = join(folder, 'data');
    this.env = { FERRY_DATA_DIR: this.dataDir };
  }

  static async create(): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'ferry-world-')));
    await mkdir(world.dataDir);
    const runs = new Database(join(world.dataDir, 'temporal.db'));
    runs.exec('CREATE TABLE runs (id); INSERT INTO runs VALUES (1)');
    runs.close();
    await writeFile(join(world.dataDir, 'admin-token'), 'the-token-of-the-admin\n');
    await world.records((records) => records.createProduct({ productKey: 'lamp', name: 'Lamp', createdAtMs: 1 }));
    return world;
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  async records<T>(use: (records: Records) => Promise<T>): Promise<T> {
    const records = openSqliteRecords({
      path: join(this.dataDir, 'ferry.db'),
      synchronous: 'normal',
      sealer: NO_SECRETS,
    });
    try {
      return await use(records);
    } finally {
      await records.close();
    }
  }

  /** @returns the path of its file within the data folder */
  async firmware(version: string, content: Uint8Array | string = `firmware ${version}`): Promise<string> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const file = join(this.dataDir, firmwarePath(sha256));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    await this.records((records) =>
      records.addFirmware(
        {
          ...{ id: version, name: 'main', productKey: 'lamp', module: 'default', version, sizeBytes: content.length },
          ...{ signMethod: 'SHA256', sign: sha256, sha256, createdAtMs: 1 },
        },
        { firmwareMax: 100 },
      ),
    );
    return firmwarePath(sha256);
  }

  async changeManifest(backup: string, change: (manifest: Manifest) => unknown): Promise<void> {
    const path = join(backup, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest;
    await writeFile(path, JSON.stringify(change(manifest)));
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
