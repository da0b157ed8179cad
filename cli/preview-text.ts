import type { BatchPreviewAnswer, FirmwareAnswer } from '../api/schemas.js';
import { refusedText } from './cli-words.js';
import { firmwareName } from './firmware-name.js';
import { isUnproven, verificationText } from './last-verification.js';
import { printable } from './printable.js';
import { pairs } from './table.js';

/** What a batch would meet if it was created now. */
export function previewText(firmware: FirmwareAnswer, preview: BatchPreviewAnswer): string {
  const { devices, online, offline, transient, busy, versions, conflicts, unorderedVersions } = preview;
  const last = firmware.lastVerification;
  return pairs([
    ['firmware', `${firmwareName(firmware)} (${firmware.id})`],
    ['product', firmware.productKey],
    ['devices', devices],
    ...versions.map(({ version, devices: running }) => [`  on ${version}`, running] as const),
    ['online', online],
    ['offline', `${offline}, notified when they come online`],
    ...(transient > 0 ? ([['HTTP, CoAP', `${transient}, updated when they ask`]] as const) : []),
    ['busy', `${busy}, not finished with another update: they would fail`],
    ...(unorderedVersions.length > 0
      ? ([
          ['perhaps newer', `${unorderedVersions.join(', ')}: written in another way than the firmware's version`],
        ] as const)
      : []),
    [
      'last verification',
      last === null
        ? null
        : `${isUnproven(last) ? 'WARNING: ' : ''}${verificationText(last) ?? ''} (task ${last.taskId})`,
    ],
    ...conflicts.map(
      ({ taskId, firmware: other, sourceVersions }) =>
        ['conflict', `batch ${taskId} to ${firmwareName(other)} holds ${sourceVersions.join(', ')}`] as const,
    ),
  ]);
}

/** Why the batch would be refused; null if it would not. */
export function refusalOf({ refusal, conflicts }: BatchPreviewAnswer): string | null {
  if (refusal) return refusedText(refusal);
  const [first] = conflicts;
  if (!first) return null;
  return `batch ${first.taskId} updates ${printable(first.sourceVersions.join(', '))} already. [update-task-conflict]`;
}
