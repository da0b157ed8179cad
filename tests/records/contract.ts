import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../records/records.js';
import { Builder } from './builder.js';
import { describeAnyEvents } from './contract/any-events.js';
import { describeApprovals } from './contract/approvals.js';
import { describeChanges } from './contract/changes.js';
import { describeCounts } from './contract/counts.js';
import { describeCreatingTasks } from './contract/creating-tasks.js';
import { describeDevices } from './contract/devices.js';
import { describeDeviceUpdates } from './contract/device-updates.js';
import { describeEnding } from './contract/ending.js';
import { describeFirmware } from './contract/firmware.js';
import type { Ground } from './contract/ground.js';
import { describeGate } from './contract/gate.js';
import { describeKeeping } from './contract/keeping.js';
import { describeLeavingService } from './contract/leaving-service.js';
import { describeLists } from './contract/lists.js';
import { describeOperators } from './contract/operators.js';
import { describeOutbox } from './contract/outbox.js';
import { describePauses } from './contract/pauses.js';
import { describeRestore } from './contract/restore.js';
import { describeRetention } from './contract/retention.js';
import { describeOverview } from './contract/overview.js';
import { describeSecrets } from './contract/secrets.js';
import { describeSessions } from './contract/sessions.js';
import { describeVerificationResults } from './contract/verification-results.js';

export interface OpenRecords {
  readonly records: Records;
  /** A second look at the same database, as another process has it. */
  again(): Promise<Records>;
  close(): Promise<void>;
}

/** What every dialect of the records must do. */
export function describeRecords(dialect: string, open: () => Promise<OpenRecords>): void {
  describe(`the records (${dialect})`, () => {
    let opened: OpenRecords;
    let current: Ground;
    beforeEach(async () => {
      opened = await open();
      const { records } = opened;
      current = { records, build: new Builder(records), again: () => opened.again() };
      await current.build.product();
    });
    afterEach(() => opened.close());
    const ground = () => current;

    describeDevices(ground);
    describeFirmware(ground);
    describeCreatingTasks(ground);
    describeDeviceUpdates(ground);
    describeCounts(ground);
    describeAnyEvents(ground);
    describeEnding(ground);
    describeOutbox(ground);
    describeGate(ground);
    describeChanges(ground);
    describeLists(ground);
    describeRestore(ground);
    describeKeeping(ground);
    describeRetention(ground);
    describeOverview(ground);
    describeSessions(ground);
    describeLeavingService(ground);
    describeApprovals(ground);
    describeOperators(ground);
    describeSecrets(ground);
    describePauses(ground);
    describeVerificationResults(ground);

    it('keep a setting once it is made', async () => {
      const { records } = ground();
      expect(await records.setting('key', () => 'first')).toBe('first');
      expect(await records.setting('key', () => 'second')).toBe('first');
    });
  });
}
