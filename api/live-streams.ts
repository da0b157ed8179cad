/** Streams that are open, by what they rest on: they end at once when that does. */
export class LiveStreams {
  private readonly ends = new Map<string, Set<() => void>>();

  /**
   * @param grounds a token's id, a session's digest
   * @returns how to forget the stream
   */
  add(grounds: readonly string[], end: () => void): () => void {
    for (const ground of grounds) this.ends.set(ground, (this.ends.get(ground) ?? new Set()).add(end));
    return () => {
      for (const ground of grounds) {
        const rest = this.ends.get(ground);
        rest?.delete(end);
        if (rest?.size === 0) this.ends.delete(ground);
      }
    };
  }

  countOf(ground: string): number {
    return this.ends.get(ground)?.size ?? 0;
  }

  endOf(ground: string): void {
    for (const end of this.ends.get(ground) ?? []) end();
  }
}
