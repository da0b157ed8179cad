import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceUpdateAnswer, TaskAnswer } from '../../api/schemas.js';
import { SEARCH_ATTRIBUTES } from '../../domain/ids.js';
import { Device } from '../e2e/device.js';
import { withEngine } from '../support/run-state.js';
import { ServiceProcess } from '../support/service-process.js';

/** A service that may be killed, with a product, devices and verified firmware. */
export class Ground {
  private readonly secrets = new Map<string, string>();
  private versions = 1;

  private constructor(
    readonly service: ServiceProcess,
    private readonly folder: string,
    readonly productKey: string,
  ) {}

  /** @param prepare makes the data folder, before the service does */
  static async open(env: NodeJS.ProcessEnv = {}, prepare?: (data: string) => Promise<void>): Promise<Ground> {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-reliability-'));
    await prepare?.(join(folder, 'data'));
    const service = await ServiceProcess.at(folder, { FERRY_LOG_LEVEL: 'warn', ...env });
    await service.start();
    const ground = new Ground(service, folder, 'lamp');
    await service.api.createProduct({ productKey: 'lamp', name: 'Lamp' });
    return ground;
  }

  async close(): Promise<void> {
    await this.service.destroy();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Registered, and known to run the version; away afterwards. */
  async register(deviceName: string, version: string): Promise<void> {
    const { devices } = await this.service.api.registerDevices(this.productKey, [{ deviceName }]);
    this.secrets.set(deviceName, devices[0]?.deviceSecret ?? '');
    const device = await this.connect(deviceName);
    await device.runs(version);
    await device.leave();
  }

  connect(deviceName: string): Promise<Device> {
    return Device.connect(this.service.mqttUrl, this.productKey, deviceName, this.secrets.get(deviceName) ?? '');
  }

  /** Firmware that a device has tried: its version, and the one that the device runs no longer. */
  async verifiedFirmware(): Promise<{ id: string; version: string }> {
    const { api } = this.service;
    const version = `2.${this.versions++}`;
    const file = join(this.folder, `${version}.bin`);
    await writeFile(file, `firmware ${version}`);
    const { id } = await api.addFirmware({ name: 'main', productKey: this.productKey, version, file });
    const pioneer = `pioneer-${version}`;
    await this.register(pioneer, '1.9');
    const device = await this.connect(pioneer);
    const verification = await api.createVerification(id, { deviceNames: [pioneer] });
    await device.update();
    await this.untilTask(verification.id, ({ status }) => status === 'completed');
    await device.leave();
    return { id, version };
  }

  /** Polls over kills and restarts: the streams that tests else wait on would end with the service. */
  async untilTask(taskId: string, wanted: (task: TaskAnswer) => boolean): Promise<TaskAnswer> {
    return this.until(() => this.service.api.getTask(taskId), wanted);
  }

  async untilUpdate(
    taskId: string,
    deviceName: string,
    wanted: (update: DeviceUpdateAnswer) => boolean,
  ): Promise<DeviceUpdateAnswer> {
    const find = async () => {
      const { items } = await this.service.api.listDeviceUpdates(taskId, { search: deviceName });
      const update = items.find((item) => item.deviceName === deviceName);
      if (!update) throw new Error(`Task ${taskId} has no device ${deviceName}`);
      return update;
    };
    return this.until(find, wanted);
  }

  async until<T>(look: () => Promise<T>, wanted: (seen: T) => boolean): Promise<T> {
    for (;;) {
      const seen = await look();
      if (wanted(seen)) return seen;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Runs of the task in the engine, by workflow type. */
  async runsOf(taskId: string): Promise<Readonly<Record<string, number>>> {
    return withEngine(this.service.temporalAddress, async (client) => {
      const counts: Record<string, number> = {};
      for await (const { type } of client.workflow.list({ query: `${SEARCH_ATTRIBUTES.taskId} = '${taskId}'` })) {
        counts[type] = (counts[type] ?? 0) + 1;
      }
      return counts;
    });
  }
}
