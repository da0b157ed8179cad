import type { FirmwareStore } from '../../firmware/store.js';
import type { Firmware, Records } from '../../records/records.js';
import type { Difference, Findings } from './difference.js';
import { eachOf } from './pages.js';

/** An upload may be under way: its file is stored before its record. */
const YOUNG_MS = 10 * 60_000;

/** Every firmware against its file, digest included, and every file against the firmware. */
export async function examineFiles(
  records: Pick<Records, 'listFirmware'>,
  store: Pick<FirmwareStore, 'isIntact' | 'list' | 'remove'>,
  now: () => number,
): Promise<Findings> {
  const differences: Difference[] = [];
  const used = new Set<string>();
  for await (const firmware of eachFirmware(records)) {
    if (used.has(firmware.sha256)) continue;
    used.add(firmware.sha256);
    const integrity = await store.isIntact(firmware.sha256);
    if (integrity !== 'intact') differences.push(damagedFile(firmware, integrity));
  }
  const stored = await store.list();
  for (const { sha256, storedAtMs } of stored) {
    if (used.has(sha256) || now() - storedAtMs < YOUNG_MS) continue;
    differences.push({
      kind: 'file-orphaned',
      subject: `file ${sha256}`,
      sentence: 'No firmware uses this stored file.',
      remedy: { would: 'A repair removes it.', did: 'It was removed.' },
      fix: async () => {
        await store.remove(sha256, () => isUsed(records, sha256));
        return true;
      },
    });
  }
  return { examined: Math.max(stored.length, used.size), differences };
}

const damagedFile = ({ name, version, productKey }: Firmware, integrity: 'corrupt' | 'missing'): Difference => ({
  kind: integrity === 'corrupt' ? 'file-corrupt' : 'file-missing',
  subject: `firmware ${productKey} ${name} ${version}`,
  sentence: `Its stored file is ${integrity}; it is not served, and updates to it wait.`,
  remedy: 'Add the same file again (it is refused as a version that exists, and repairs the stored file all the same).',
});

async function isUsed(records: Pick<Records, 'listFirmware'>, sha256: string): Promise<boolean> {
  for await (const firmware of eachFirmware(records)) if (firmware.sha256 === sha256) return true;
  return false;
}

const eachFirmware = (records: Pick<Records, 'listFirmware'>) => eachOf((page) => records.listFirmware({}, page));
