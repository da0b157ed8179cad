import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { LoadAnswer, LoadDevice, LoadRequest } from './load-process.js';

/** Devices in a process of their own, so that their CPU is not taken for the service's. */
export class Load {
  private constructor(private readonly child: ChildProcess) {}

  static start(): Load {
    return new Load(fork(join(import.meta.dirname, 'load-process.mjs')));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  ask(request: LoadRequest): Promise<LoadAnswer> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('The load process has ended'));
      this.child.once('exit', ended);
      this.child.once('message', (answer: LoadAnswer) => {
        this.child.off('exit', ended);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      this.child.send(request);
    });
  }

  connect(mqttUrl: string, devices: readonly LoadDevice[], steps: readonly number[]): Promise<LoadAnswer> {
    return this.ask({ do: 'connect', mqttUrl, devices, steps });
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}
