import type { TaskKind } from './ids.js';
import type { UpdatePolicy } from './policy.js';
import { isNewer } from './versions.js';

/** What decides whether a firmware may go to a device. */
export interface Fitting {
  readonly kind: TaskKind;
  readonly sourceVersions: readonly string[];
  readonly targetVersion: string;
  readonly policy: Pick<UpdatePolicy, 'allowDowngrade'>;
}

/**
 * Why the firmware must not go to a device that runs `version` now, as a sentence; undefined if it may. The version may
 * have changed since the task was created, and a firmware made for another version can brick the device.
 *
 * @param version undefined for a device that has not reported one
 */
export function misfit({ kind, sourceVersions, targetVersion, policy }: Fitting, version?: string): string | undefined {
  if (version === undefined) return undefined;
  if (kind === 'batch' && !sourceVersions.includes(version)) {
    return `It now runs ${version}, which is none of the task's source versions.`;
  }
  if (!policy.allowDowngrade && isNewer(version, targetVersion)) {
    return `It runs ${version}, which is newer than ${targetVersion}, and the task does not allow downgrades.`;
  }
  return undefined;
}
