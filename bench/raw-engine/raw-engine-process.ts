import { CpuMeter } from '../lib/process.js';
import { startRawEngine } from './raw-engine.js';

/* In a process of its own: worker and signaller, nothing else. */

const children = Number(process.argv[2]);
const engine = await startRawEngine();
await engine.run(20); // warm
const bytesBefore = engine.databaseBytes();
const meter = new CpuMeter({ worker: process.pid, temporal: engine.serverPid });
const startedMs = performance.now();
await engine.run(children);
const seconds = (performance.now() - startedMs) / 1_000;
const cpu = meter.read();
process.send?.({
  'devices/s': children / seconds,
  'CPU ms/device': (1_000 * (cpu.worker + cpu.temporal)) / children,
  'of the service': (1_000 * cpu.worker) / children,
  'of Temporal': (1_000 * cpu.temporal) / children,
  'engine bytes/device': (engine.databaseBytes() - bytesBefore) / children,
});
await engine.stop();
process.disconnect();
