import { initialState, succeeded } from '../../domain/device-update.js';
import { resolvePolicy, type UpdatePolicy } from '../../domain/policy.js';
import type { NewTask, Records, TaskRecord } from '../../records/records.js';

let numbers = 0;

/** Makes what a test needs around the thing it is about; names are unique over all tests. */
export class Builder {
  readonly productKey = `product-${++numbers}`;

  constructor(private readonly records: Records) {}

  id(word: string): string {
    return `${word}-${++numbers}`;
  }

  async product(): Promise<void> {
    await this.records.createProduct({ productKey: this.productKey, name: 'Lamp', createdAtMs: 1 });
  }

  async devices(deviceNames: readonly string[]): Promise<void> {
    const added = deviceNames.map((deviceName) => ({
      deviceName,
      deviceSecret: `secret-of-${deviceName}`,
      protocol: 'mqtt' as const,
    }));
    await this.records.registerDevices(this.productKey, added, 1);
  }

  async runs(deviceName: string, version: string, module = 'default'): Promise<void> {
    await this.records.versionReported({ productKey: this.productKey, deviceName }, { module, version, atMs: 1 });
  }

  async firmware(version: string, firmwareMax = 1_000, module = 'default'): Promise<string> {
    const id = this.id('firmware');
    const sha256 = 'ab'.repeat(32);
    await this.records.addFirmware(
      {
        ...{ id, version, module, productKey: this.productKey, name: 'lamp', sizeBytes: 3 },
        ...{ signMethod: 'SHA256', sign: sha256, sha256, createdAtMs: 1 },
      },
      { firmwareMax },
    );
    return id;
  }

  /** Made verified by a device that is there only for it, and was found to run it. */
  async verified(version: string, module = 'default'): Promise<string> {
    const id = await this.firmware(version, 1_000, module);
    const probe = this.id('probe');
    await this.devices([probe]);
    const { id: taskId } = await this.verification(id, [probe]);
    const key = { productKey: this.productKey, deviceName: probe };
    await this.records.recordDeviceUpdate(taskId, key, succeeded(initialState(1), 1), null);
    await this.records.taskEnded(taskId, 'completed', 1);
    return id;
  }

  async verification(firmwareId: string, deviceNames: readonly string[]): Promise<TaskRecord> {
    const { value } = await this.records.createTask({
      ...{ id: this.id('task'), kind: 'verification', firmwareId, sourceVersions: [], deviceNames },
      ...{ policy: resolvePolicy('verification'), createdAtMs: numbers },
    });
    return value;
  }

  newBatch(
    firmwareId: string,
    sourceVersions: readonly string[],
    deviceNames: readonly string[] | null = null,
    policy: Partial<UpdatePolicy> = {},
  ): NewTask {
    return {
      ...{ id: this.id('task'), kind: 'batch', firmwareId, sourceVersions, deviceNames },
      ...{ policy: resolvePolicy('batch', policy), createdAtMs: numbers },
    };
  }

  async batch(...args: Parameters<Builder['newBatch']>): Promise<TaskRecord> {
    return (await this.records.createTask(this.newBatch(...args))).value;
  }
}
