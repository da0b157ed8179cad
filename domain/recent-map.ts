/** A map of a bounded size: setting makes an entry the newest one, and the oldest is forgotten first. */
export class RecentMap<K, V> {
  private readonly entries = new Map<K, V>();

  constructor(private readonly sizeMax: number) {}

  get(key: K): V | undefined {
    return this.entries.get(key);
  }

  set(key: K, value: V): void {
    this.entries.delete(key); // a map keeps the order of insertion
    this.entries.set(key, value);
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.sizeMax) break;
      this.entries.delete(oldest);
    }
  }

  oldest(): [K, V] | undefined {
    const { value } = this.entries.entries().next();
    return value;
  }

  delete(key: K): void {
    this.entries.delete(key);
  }
}
