/** Why a device update failed: the word that programs see, and the brief sentence that people read. */
export const FailureCause = {
  DOWNLOAD_FAILED: 'download-failed', // the device reported step -2
  VERIFICATION_FAILED: 'verification-failed', // the device reported step -3: the digest does not match
  EXTRACTION_FAILED: 'extraction-failed', // the device reported step -4: extraction or flashing
  UPDATE_FAILED: 'update-failed', // the device reported step -1, or the update does not fit the device
  DEVICE_BUSY: 'device-busy', // another update of the device is not finished
  OFFLINE_EXPIRED: 'offline-expired', // it never came online within the task's offline time
  NO_RESPONSE: 'no-response', // it got every notification and reported nothing
  STALLED: 'stalled', // it stopped reporting progress, or took too long in all
  VERSION_UNCONFIRMED: 'version-unconfirmed', // step 100, but never the target version
  FELL_BACK: 'fell-back', // it ran the target version, and another one before the soak time was over
  UNREACHABLE_TRANSIENT: 'unreachable-transient', // an HTTP or CoAP device, which did not ask in time
} as const;
export type FailureCause = (typeof FailureCause)[keyof typeof FailureCause];

const CAUSE_SENTENCES: Readonly<Record<FailureCause, string>> = {
  'download-failed': 'The device could not download the firmware.',
  'verification-failed': 'The digest of the downloaded file did not match.',
  'extraction-failed': 'The device could not extract or flash the firmware.',
  'update-failed': 'The device could not carry out the update.',
  'device-busy': 'The device has not finished its last update task.',
  'offline-expired': 'The device did not come online in time.',
  'no-response': 'The device was notified but reported nothing.',
  stalled: 'The device stopped reporting progress.',
  'version-unconfirmed': 'The device never reported that it runs the new version.',
  'fell-back': 'The device ran the new version and fell back to another one.',
  'unreachable-transient':
    'The device connects only now and then (HTTP or CoAP) and did not ask for its update in time.',
};

/** The cause's sentence, with what the device or Ferry added to it, at most 500 characters. */
export function causeDetail(cause: FailureCause, addition = ''): string {
  const added = addition.trim();
  return (added === '' ? CAUSE_SENTENCES[cause] : `${CAUSE_SENTENCES[cause]} ${added}`).slice(0, 500);
}

/** Steps 0 to 100 are percent; the negative ones are failures [protocol: progress]. */
const CAUSES_BY_STEP: Readonly<Record<number, FailureCause>> = {
  [-1]: 'update-failed',
  [-2]: 'download-failed',
  [-3]: 'verification-failed',
  [-4]: 'extraction-failed',
};

/** The cause that a negative step stands for, also one without a name of its own; undefined for any other number. */
export const causeOfStep = (step: number): FailureCause | undefined =>
  CAUSES_BY_STEP[step] ?? (step < 0 ? 'update-failed' : undefined);
