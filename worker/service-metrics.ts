import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { OPEN_TASK_STATUSES } from '../domain/update-task.js';
import type { Records } from '../records/records.js';

/** By Prometheus' rules `_total` is the end of a counter's name; prom-client gives it to these gauges too. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `ferry_nodejs_active_${what}_total`);

/** What /metrics shows of the process, the release and the records. */
export function createServiceMetrics(version: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'ferry_' });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  new Gauge({
    name: 'ferry_build_info',
    help: 'Always 1; the labels say which release runs on which Node.js.',
    labelNames: ['version', 'node'] as const,
    registers: [registry],
  }).set({ version, node: process.version }, 1);
  return registry;
}

/** What the records hold, counted when it is asked for. */
export function addRecordsMetrics(registry: Registry, records: Pick<Records, 'countTasks' | 'countDevices'>): void {
  new Gauge({
    name: 'ferry_tasks_open',
    help: 'Update tasks that have not ended, by status.',
    labelNames: ['status'] as const,
    registers: [registry],
    async collect() {
      for (const status of OPEN_TASK_STATUSES) this.set({ status }, await records.countTasks(status));
    },
  });
  new Gauge({
    name: 'ferry_tasks_paused',
    help: 'Tasks that send nothing at present; alarm on it',
    registers: [registry],
    async collect() {
      this.set(await records.countTasks('paused'));
    },
  });
  new Gauge({
    name: 'ferry_devices',
    help: 'Registered devices, by whether they are connected.',
    labelNames: ['state'] as const,
    registers: [registry],
    async collect() {
      const counts = await records.countDevices();
      for (const state of ['online', 'offline'] as const) {
        this.set(
          { state },
          counts.reduce((sum, product) => sum + product[state], 0),
        );
      }
    },
  });
}

/** Counts what the integrity check of the stored files has found. */
export const createDamageCounter = (registry: Registry): Counter =>
  new Counter({
    name: 'ferry_firmware_files_damaged_total',
    help: 'Stored firmware files found damaged',
    registers: [registry],
  });
