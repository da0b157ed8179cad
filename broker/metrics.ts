import { Counter, Gauge, type Registry } from 'prom-client';

/** What the broker counts; prom-client's counters fit. */
export interface BrokerMetrics {
  /** What devices did wrong, by kind: malformed, foreign, stale, refused. */
  readonly irregularities: { inc(labels: { kind: string }): void };
  /** What devices sent, by kind. */
  readonly messages: { inc(labels: { kind: string }): void };
  /** Devices that are signed in now. */
  readonly connections: { inc(): void; dec(): void };
  /** Sign-ins that were refused, by reason. */
  readonly signInsRefused: { inc(labels: { reason: string }): void };
}

/** The broker's metrics, registered for `/metrics`. */
export function createBrokerMetrics(registry: Registry): BrokerMetrics {
  const registers = [registry];
  return {
    irregularities: new Counter({
      name: 'ferry_mqtt_irregularities_total',
      help: 'Malformed, foreign, stale or refused doings of devices',
      labelNames: ['kind'],
      registers,
    }),
    messages: countedWhenRead({ name: 'ferry_mqtt_messages_total', help: 'Messages from devices', registers }),
    signInsRefused: new Counter({
      name: 'ferry_mqtt_sign_ins_refused_total',
      help: 'Sign-ins of devices that were refused, by reason',
      labelNames: ['reason'],
      registers,
    }),
    connections: new Gauge({ name: 'ferry_mqtt_connections', help: 'Devices that are signed in', registers }),
  };
}

/** Each message is counted: the counter's own way of finding its label costs more than all else that is done with it. */
function countedWhenRead(counter: {
  readonly name: string;
  readonly help: string;
  readonly registers: Registry[];
}): BrokerMetrics['messages'] {
  const counts = new Map<string, number>();
  new Counter({
    ...counter,
    labelNames: ['kind'],
    collect() {
      this.reset();
      for (const [kind, count] of counts) this.inc({ kind }, count);
    },
  });
  return { inc: ({ kind }) => void counts.set(kind, (counts.get(kind) ?? 0) + 1) };
}
