import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Publication } from './bare-aedes-process.js';
import type { LoadDevice } from './load-process.js';

/** A broker without any hook, in a process of its own: what every figure of the broker is compared with. */
export class BareAedes {
  private constructor(
    readonly mqttUrl: string,
    private readonly child: ChildProcess,
  ) {}

  /** @param isBesideWorker whether a Temporal worker is in its process, as in the service's */
  static async start(nodeOptions: readonly string[] = [], isBesideWorker = false): Promise<BareAedes> {
    const worker = isBesideWorker ? ['beside-worker'] : [];
    const child = fork(join(import.meta.dirname, 'bare-aedes-process.mjs'), worker, { execArgv: [...nodeOptions] });
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new BareAedes(`mqtt://127.0.0.1:${port}`, child);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  publish(publication: Publication): void {
    this.child.send(publication);
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }
}

/** It asks nobody for a secret. */
export const strangers = (count: number): LoadDevice[] =>
  Array.from({ length: count }, (_, n) => ({
    ...{ productKey: 'bench', deviceName: `device-${n}`, deviceSecret: 'none' },
  }));
