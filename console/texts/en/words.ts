/** The words of the domain: states, causes, waits. The same word for the same thing on every page. */
export const words = {
  device: 'Device',
  firmware: 'Firmware',
  version: 'Version',
  module: 'Module',
  status: 'Status',
  protocol: { mqtt: 'MQTT', http: 'HTTP', coap: 'CoAP' },
  online: 'Online',
  offline: 'Offline',
  revoked: 'Revoked',
  taskKind: { verification: 'Verification', batch: 'Batch update' },
  taskStatus: {
    pending: 'Pending',
    'awaiting-approval': 'Awaiting approval',
    running: 'Running',
    paused: 'Paused',
    completed: 'Completed',
    cancelled: 'Cancelled',
    rejected: 'Rejected',
  },
  trustUndecided: 'Trust undecided',
  firmwareStatus: { unverified: 'Unverified', verifying: 'Verifying', verified: 'Verified' },
  count: {
    pending: 'Pending',
    notified: 'Notified',
    upgrading: 'Upgrading',
    succeeded: 'Succeeded',
    failed: 'Failed',
    cancelled: 'Cancelled',
  },
  cause: {
    'download-failed': 'Download failed',
    'verification-failed': 'Digest did not match',
    'extraction-failed': 'Extraction or flashing failed',
    'update-failed': 'Update failed',
    'device-busy': 'Last update not finished',
    'offline-expired': 'Did not come online',
    'no-response': 'Notified, no response',
    stalled: 'Stopped reporting progress',
    'version-unconfirmed': 'New version never reported',
    'fell-back': 'Fell back to another version',
    'unreachable-transient': 'Did not ask for its update',
  },
  waiting: {
    'its-turn': (since: string, _until: string | null) => `Waits for its turn since ${since}`,
    online: (since: string, until: string | null) =>
      `Offline since ${since}. Notified when it comes online${until === null ? '' : `; fails on ${until}`}`,
    query: (since: string, until: string | null) =>
      `Has not asked for its update since ${since}. Gets it when it asks${until === null ? '' : `; fails on ${until}`}`,
    response: (since: string, until: string | null) =>
      `Silent since its notification of ${since}${until === null ? '' : `. Notified again, or fails, on ${until}`}`,
    progress: (since: string, until: string | null) =>
      `Last progress at ${since}${until === null ? '' : `. Fails as stalled on ${until}`}`,
    return: (since: string, until: string | null) =>
      `Offline in mid-update since ${since}. Goes on when it is back${until === null ? '' : `; fails on ${until}`}`,
    confirmation: (since: string, until: string | null) =>
      `At 100 % since ${since}. Succeeds when it reports the new version${until === null ? '' : `; fails on ${until}`}`,
    'firmware-file': (since: string, until: string | null) =>
      `Held back since ${since}: the stored firmware file is damaged${until === null ? '' : `. Fails on ${until}`}`,
    task: (since: string, until: string | null) =>
      `Held back since ${since}: its task sends nothing at present${until === null ? '' : `. Fails on ${until}`}`,
    soak: (since: string, until: string | null) =>
      `Runs the new version since ${since}${until === null ? '' : `. Succeeds on ${until} if it still does`}`,
  },
  outcome: {
    succeeded: (count: string, total: string) => `${count} of ${total} succeeded`,
    failed: (count: string, total: string) => `${count} of ${total} failed`,
    cancelled: (count: string, total: string) => `${count} of ${total} cancelled`,
  },
  failing: (share: string) => `${share} fail`,
};
