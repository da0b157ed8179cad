import type { FirmwareAnswer } from '../api/schemas.js';

type LastVerification = FirmwareAnswer['lastVerification'];

/**
 * How a firmware's last verification went, such as `1 of 2 succeeded, failed 1`. A firmware counts as verified whatever
 * the results; so whoever is about to send it to a fleet has to be told them.
 */
export function verificationText(last: LastVerification): string | null {
  if (last === null) return null;
  const { succeeded, failed, cancelled, total } = last;
  const others = [...(failed > 0 ? [`failed ${failed}`] : []), ...(cancelled > 0 ? [`cancelled ${cancelled}`] : [])];
  return [`${succeeded} of ${total} succeeded`, ...others].join(', ');
}

/** Nothing speaks for it: no device of its last verification runs it. */
export const isUnproven = (last: LastVerification): boolean => last?.succeeded === 0;

/** A line for whoever begins a batch; nothing where every device succeeded. */
export function verificationRemark(last: LastVerification): string {
  if (last === null || last.succeeded === last.total) return '';
  const warning = isUnproven(last) ? 'WARNING: no device succeeded in its last verification' : 'Its last verification';
  return `\n${warning}: ${verificationText(last) ?? ''} (task ${last.taskId}).`;
}
