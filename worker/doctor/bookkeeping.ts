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

const COUNT_ANEW = { would: 'A repair counts them anew.', did: 'They were counted anew.' };

function described(fault: BookkeepingFault): Pick<Difference, 'subject' | 'sentence' | 'remedy'> {
  switch (fault.kind) {
    case 'counts-wrong':
      return {
        subject: `task ${fault.taskId}`,
        sentence: 'Its counts are not those of its device updates.',
        remedy: COUNT_ANEW,
      };
    case 'failure-counts-wrong':
      return {
        subject: `task ${fault.taskId}`,
        sentence: 'Its failures by cause are not those of its device updates.',
        remedy: COUNT_ANEW,
      };
    case 'device-counts-wrong':
      return {
        subject: `product ${fault.productKey}`,
        sentence: 'Its counts of online and offline devices are not those of its devices.',
        remedy: COUNT_ANEW,
      };
    case 'version-counts-wrong':
      return {
        subject: `product ${fault.productKey}`,
        sentence: 'Its counts of versions are not those that its devices have reported.',
        remedy: COUNT_ANEW,
      };
    case 'claim-leaked':
      return {
        subject: `task ${fault.taskId}`,
        sentence: `It has ended or is being stopped, and still holds the source version ${fault.sourceVersion}.`,
        remedy: { would: 'A repair releases the claim.', did: 'The claim was released.' },
      };
    case 'claim-missing':
      return {
        subject: `task ${fault.taskId}`,
        sentence: `It is open and does not hold its source version ${fault.sourceVersion}.`,
        remedy:
          fault.heldBy === null
            ? { would: 'A repair takes the claim again.', did: 'The claim was taken again.' }
            : `Task ${fault.heldBy} holds it: cancel one of the two.`,
      };
  }
}
