import type { BookkeepingFault, Records } from '../../records/records.js';
import type { Difference } from './difference.js';

/** The records against themselves: each is decided by one look, since a transaction moves rows, counts and claims. */
export async function examineBookkeeping(
  records: Pick<Records, 'bookkeepingFaults' | 'repairBookkeeping'>,
  now: () => number,
): Promise<Difference[]> {
  const faults = await records.bookkeepingFaults();
  return faults.map((fault) => ({
    ...described(fault),
    kind: fault.kind,
    fix: () => records.repairBookkeeping(fault, now()),
  }));
}

function described(fault: BookkeepingFault): Pick<Difference, 'subject' | 'sentence' | 'remedy'> {
  const subject = `task ${fault.taskId}`;
  switch (fault.kind) {
    case 'counts-wrong':
      return { subject, sentence: 'Its counts are not those of its device updates.', remedy: 'They are counted anew.' };
    case 'claim-leaked':
      return {
        subject,
        sentence: `It has ended or is being stopped, and still holds the source version ${fault.sourceVersion}.`,
        remedy: 'The claim is released.',
      };
    case 'claim-missing':
      return {
        subject,
        sentence: `It is open and does not hold its source version ${fault.sourceVersion}.`,
        remedy:
          fault.heldBy === null ? 'The claim is taken again.' : `Task ${fault.heldBy} holds it: cancel one of the two.`,
      };
  }
}
