/** What a simulated device does with an update; the sentences are shown by `ferry simulate --help`. */
export const BEHAVIOUR_TEXTS = {
  ok: 'downloads, checks, burns, reboots, and reports the new version',
  slow: 'the same, taking several times as long',
  'download-failed': 'gives the download up half-way: step -2',
  'verification-failed': 'a byte goes wrong, so that the digest does not match: step -3',
  'extraction-failed': "can't flash what it downloaded: step -4",
  silent: 'acknowledges the notification and reports nothing',
  stalls: 'stops reporting half-way',
  'offline-then-online': 'reports its version, leaves, and comes back later',
  drops: 'loses its connections in mid-download, and goes on with a Range',
  'stays-on-old-version': 'reports step 100, and then the version it had before',
  restarts: 'begins its download anew at each notification, as if it was the first one',
  unacknowledged: 'sends all its reports without asking for an acknowledgement (QoS 0)',
  quiet: 'downloads and installs without reporting any percentage',
  'away-in-mid-update': 'goes offline half-way, for longer than the stall time, and goes on with a Range',
  busy: 'never finishes its first update, so that a second one finds it busy',
} as const;
export type Behaviour = keyof typeof BEHAVIOUR_TEXTS;

export const Behaviour = {
  OK: 'ok',
  SLOW: 'slow',
  DOWNLOAD_FAILED: 'download-failed',
  VERIFICATION_FAILED: 'verification-failed',
  EXTRACTION_FAILED: 'extraction-failed',
  SILENT: 'silent',
  STALLS: 'stalls',
  OFFLINE_THEN_ONLINE: 'offline-then-online',
  DROPS: 'drops',
  STAYS_ON_OLD_VERSION: 'stays-on-old-version',
  RESTARTS: 'restarts',
  UNACKNOWLEDGED: 'unacknowledged',
  QUIET: 'quiet',
  AWAY_IN_MID_UPDATE: 'away-in-mid-update',
  BUSY: 'busy',
} as const satisfies Readonly<Record<string, Behaviour>>;

export const BEHAVIOURS = Object.keys(BEHAVIOUR_TEXTS) as readonly Behaviour[];

export const isBehaviour = (text: string): text is Behaviour => (BEHAVIOURS as readonly string[]).includes(text);
