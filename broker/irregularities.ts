import type { Logger } from 'pino';
import { RecentMap } from '../domain/recent-map.js';
import type { BrokerMetrics } from './metrics.js';

/** What a device may do wrong. None of it changes any state. */
export const Irregularity = {
  MALFORMED_PAYLOAD: 'malformed-payload',
  FOREIGN_TOPIC: 'foreign-topic', // published to what is not the device's own
  FOREIGN_SUBSCRIPTION: 'foreign-subscription',
  TOO_MANY_SUBSCRIPTIONS: 'too-many-subscriptions', // its own, but one more than a session may have
  FOREIGN_WILL: 'foreign-will',
  RETAINED: 'retained', // the flag is ignored
  STALE_REPORT: 'stale-report', // there is no update that the report could be about
  TOO_MANY_MODULES: 'too-many-modules', // the report of one more is not recorded
  SIGN_IN_REFUSED: 'sign-in-refused',
  PACKET_TOO_LARGE: 'packet-too-large',
  SIGN_IN_HELD_BACK: 'sign-in-held-back', // after too many failures
  TOO_MANY_CONNECTIONS: 'too-many-connections',
  TOO_FAST: 'too-fast', // its messages are taken later
  SLOW_READER: 'slow-reader', // does not take, or acknowledge, what is sent to it
  CERTIFICATE_REFUSED: 'certificate-refused', // of another device, or not ours
  NAME_CLASH: 'name-clash', // two units use one device name, and push each other out
  PROTOCOL_ERROR: 'protocol-error', // what is no MQTT, or breaks its rules
  UNACKNOWLEDGED: 'unacknowledged', // the records could not be written: the device sends it again
} as const;
export type Irregularity = (typeof Irregularity)[keyof typeof Irregularity];

export interface Irregularities {
  /** Counts it only. */
  count(kind: Irregularity): void;
  /**
   * Counts it, and logs it once for this subject.
   *
   * @param subject the device, or the address of who is not signed in
   */
  note(kind: Irregularity, subject: string, detail?: string): void;
}

/** Subjects remembered as logged; the oldest is forgotten first. */
const SUBJECTS_MAX = 10_000;

/** Counts what devices do wrong, and logs it once per device and kind, so that a broken device can't fill the log. */
export function createIrregularities({
  metrics,
  log,
}: {
  readonly metrics: Pick<BrokerMetrics, 'irregularities'>;
  readonly log: Pick<Logger, 'warn'>;
}): Irregularities {
  const logged = new RecentMap<string, true>(SUBJECTS_MAX);
  return {
    count: (kind) => metrics.irregularities.inc({ kind }),
    note(kind, subject, detail) {
      metrics.irregularities.inc({ kind });
      const key = `${kind} ${subject}`;
      if (logged.get(key)) return;
      logged.set(key, true);
      log.warn(
        { kind, subject, ...(detail === undefined ? {} : { detail: detail.slice(0, 200) }) },
        'device irregularity',
      );
    },
  };
}
