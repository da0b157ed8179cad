/** Turns that have gone by are forgotten when so many have. */
const GONE_BY_MAX = 1_000;

/** Lets a bounded number of works run at once, in the order of asking: a crowd is served at the pace that serves it. */
export class Turns {
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
    if (this.next > GONE_BY_MAX) {
      this.waiting.splice(0, this.next);
      this.next = 0;
    }
    turn();
  }
}
