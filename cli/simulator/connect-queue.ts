/** Lets a bounded number of attempts run at once, in the order of asking: a fleet connects at the broker's pace. */
export class ConnectQueue {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private next = 0;

  constructor(private readonly atOnceMax: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.atOnceMax) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.running++;
    try {
      return await work();
    } finally {
      this.passOn();
    }
  }

  /** The place goes to the one that has waited longest. */
  private passOn(): void {
    const turn = this.waiting[this.next];
    if (!turn) {
      this.waiting.length = 0;
      this.next = 0;
      this.running--;
      return;
    }
    this.next++;
    turn();
  }
}
