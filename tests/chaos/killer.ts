import type { ServiceProcess } from '../support/service-process.js';

/** What is killed: API, broker and worker are one process; Temporal is another. */
export const KILLS = ['service', 'temporal', 'all', 'service while it starts'] as const;
export type Kill = (typeof KILLS)[number];

export interface Recovery {
  readonly kill: Kill;
  /** From the kill until every part is up again. */
  readonly readyMs: number;
  /** From the kill until the first report of a device was acknowledged after it; null if none came any more. */
  readonly reportMs: number | null;
}

export interface KillerOptions {
  readonly service: ServiceProcess;
  readonly random: () => number;
  /** Resolves at the next acknowledged report of any device. */
  readonly nextReport: () => Promise<void>;
}

/** Kills and restarts, as a supervisor of services would. */
export class Killer {
  readonly recoveries: Promise<Recovery>[] = [];

  constructor(private readonly options: KillerOptions) {}

  /** One kill at a random moment; resolves when everything is up again. */
  async strike(kill: Kill): Promise<void> {
    const { service, random, nextReport } = this.options;
    await pause(200 + random() * 2_500);
    const atMs = performance.now();
    switch (kill) {
      case 'service':
        await service.signal('SIGKILL');
        break;
      case 'temporal':
        await service.killTemporal();
        break;
      case 'all':
        await Promise.all([service.killTemporal(), service.signal('SIGKILL')]);
        break;
      case 'service while it starts':
        await service.signal('SIGKILL');
        await service.spawn();
        await pause(random() * 2_000);
        await service.signal('SIGKILL');
        break;
    }
    await this.bringBack();
    const readyMs = performance.now() - atMs;
    const reported = nextReport().then(() => performance.now() - atMs);
    const never = service.exited.then(() => null);
    this.recoveries.push(Promise.race([reported, never]).then((reportMs) => ({ kill, readyMs, reportMs })));
  }

  /** A service that gives up by itself is started again too. */
  private async bringBack(): Promise<void> {
    const { service } = this.options;
    for (;;) {
      if (!service.isRunning) await service.spawn();
      const isUp = await service.ready().then(
        () => true,
        () => false,
      );
      if (isUp) return;
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
