/** What a simulated device does with an update. */
export const Behaviour = {
  OK: 'ok', // downloads, checks, burns, reboots, and reports the new version
  SLOW: 'slow', // the same, taking several times as long
  DOWNLOAD_FAILED: 'download-failed', // gives the download up half-way: step -2
  VERIFICATION_FAILED: 'verification-failed', // a byte goes wrong, so the digest does not match: step -3
  EXTRACTION_FAILED: 'extraction-failed', // can't flash what it downloaded: step -4
  SILENT: 'silent', // acknowledges the notification and reports nothing
  STALLS: 'stalls', // stops reporting half-way
  OFFLINE_THEN_ONLINE: 'offline-then-online', // reports its version, leaves, and comes back later
  DROPS: 'drops', // loses its connections in mid-download, and goes on with a Range
  STAYS_ON_OLD_VERSION: 'stays-on-old-version', // reports step 100, and then the version it had before
  BUSY: 'busy', // never finishes its first update, so that a second one finds it busy
} as const;
export type Behaviour = (typeof Behaviour)[keyof typeof Behaviour];

export const BEHAVIOURS: readonly Behaviour[] = Object.values(Behaviour);

export const isBehaviour = (text: string): text is Behaviour => (BEHAVIOURS as readonly string[]).includes(text);
