import { waitingFor } from '../domain/device-update.js';
import type { UpdatePolicy } from '../domain/policy.js';
import type { Approval } from '../domain/update-task.js';
import type {
  BatchPreview,
  Conflict,
  Device,
  DeviceUpdateRecord,
  Firmware,
  Page,
  Product,
  Records,
  TaskRecord,
  VerificationResult,
} from '../records/records.js';
import type { ApiDeps } from './deps.js';
import { problemOf } from './problem.js';
import type {
  BatchPreviewAnswer,
  ConflictAnswer,
  DeviceAnswer,
  DeviceUpdateAnswer,
  FirmwareAnswer,
  PageAnswer,
  ProductAnswer,
  TaskAnswer,
} from './schemas.js';

/** What the records hold, as the API answers it. */

export const iso = (atMs: number): string => new Date(atMs).toISOString();
export const isoOrNull = (atMs: number | null): string | null => (atMs === null ? null : iso(atMs));

export const productAnswer = ({
  productKey,
  name,
  trustedKeys,
  trustUndecided,
  verificationSuccessesMin,
  createdAtMs,
}: Product): ProductAnswer => ({
  productKey,
  name,
  verificationSuccessesMin,
  trustedKeys: trustedKeys.map((key) => ({ ...key })),
  trustUndecided,
  createdAt: iso(createdAtMs),
});

const verificationAnswer = ({ endedAtMs, ...result }: VerificationResult) => ({ ...result, endedAt: iso(endedAtMs) });

export const firmwareAnswer = (firmware: Firmware): FirmwareAnswer => ({
  id: firmware.id,
  name: firmware.name,
  productKey: firmware.productKey,
  module: firmware.module,
  version: firmware.version,
  status: firmware.status,
  sizeBytes: firmware.sizeBytes,
  signMethod: firmware.signMethod,
  sign: firmware.sign,
  sha256: firmware.sha256,
  signature: firmware.signature === null ? null : { keyId: firmware.signatureKeyId ?? '', value: firmware.signature },
  openTasks: firmware.openTasks,
  lastVerification: firmware.lastVerification && verificationAnswer(firmware.lastVerification),
  verificationSuccesses: firmware.verificationSuccesses,
  createdAt: iso(firmware.createdAtMs),
  verifiedAt: isoOrNull(firmware.verifiedAtMs),
  deletedAt: isoOrNull(firmware.deletedAtMs),
});

export const conflictAnswer = ({ taskId, firmware, sourceVersions }: Conflict): ConflictAnswer => ({
  taskId,
  firmware: { ...firmware },
  sourceVersions: [...sourceVersions],
});

export const batchPreviewAnswer = ({ refusal, ...preview }: BatchPreview): BatchPreviewAnswer => ({
  ...preview,
  versions: [...preview.versions],
  unorderedVersions: [...preview.unorderedVersions],
  conflicts: preview.conflicts.map(conflictAnswer),
  refusal: refusal && problemOf(refusal),
});

/** A page of records as a page of answers. */
export const pageAnswer = <R, A>({ items, nextCursor }: Page<R>, answer: (record: R) => A): PageAnswer<A> => ({
  items: items.map(answer),
  nextCursor,
});

const approvalAnswer = ({ decision, by, remark, atMs }: Approval) => ({ decision, by, remark, at: iso(atMs) });

export type Answers = ReturnType<typeof createAnswers>;

/** The answers that link to runs and look at policies. */
export function createAnswers({ records, temporalUi }: Pick<ApiDeps, 'records' | 'temporalUi'>) {
  const workflow = (id: string, runId: string | null) => ({ id, runId, url: runUrl(temporalUi, id, runId) });

  const task = (record: TaskRecord): TaskAnswer => ({
    id: record.id,
    kind: record.kind,
    status: record.status,
    firmware: {
      id: record.firmware.id,
      name: record.firmware.name,
      productKey: record.firmware.productKey,
      module: record.firmware.module,
      version: record.firmware.version,
    },
    sourceVersions: [...record.sourceVersions],
    policy: { ...record.policy },
    counts: { ...record.counts },
    reinitiates: record.reinitiates,
    startedBy: record.startedBy,
    waitingFor: record.status === 'pending' ? 'workflow engine' : null,
    pausedCause: record.pausedCause,
    pausedAt: isoOrNull(record.pausedAtMs),
    needsApproval: record.needsApproval,
    approval: record.approval && approvalAnswer(record.approval),
    workflow: workflow(record.workflowId, record.runId),
    createdAt: iso(record.createdAtMs),
    startedAt: isoOrNull(record.startedAtMs),
    endedAt: isoOrNull(record.endedAtMs),
    cancelRequestedAt: isoOrNull(record.cancelRequestedAtMs),
    endRequestedAt: isoOrNull(record.endRequestedAtMs),
  });

  /** @param policy of its task; not needed once it has ended */
  const deviceUpdate = (record: DeviceUpdateRecord, policy: UpdatePolicy | undefined): DeviceUpdateAnswer => ({
    taskId: record.taskId,
    productKey: record.productKey,
    deviceName: record.deviceName,
    protocol: record.protocol,
    status: record.status,
    outcome: record.outcome,
    step: record.step,
    cause: record.cause,
    detail: record.detail,
    attempt: record.attempt,
    notifications: record.notifications,
    waitingFor: policy ? waitingAnswer(record, policy) : null,
    createdAt: iso(record.createdAtMs),
    notifiedAt: isoOrNull(record.notifiedAtMs),
    startedAt: isoOrNull(record.startedAtMs),
    lastProgressAt: isoOrNull(record.lastProgressAtMs),
    endedAt: isoOrNull(record.endedAtMs),
    cancelRequestedAt: isoOrNull(record.cancelRequestedAtMs),
    workflow: workflow(record.workflowId, record.runId),
  });

  const device = (record: Device, policies: Policies): DeviceAnswer => ({
    productKey: record.productKey,
    deviceName: record.deviceName,
    protocol: record.protocol,
    version: record.version,
    modules: record.modules.map(({ module, version, reportedAtMs }) => ({
      module,
      version,
      reportedAt: iso(reportedAtMs),
    })),
    online: record.online,
    lastSeenAt: isoOrNull(record.lastSeenAtMs),
    revokedAt: isoOrNull(record.revokedAtMs),
    lastRefusedSignIn: record.refusedSignIn && {
      at: iso(record.refusedSignIn.atMs),
      reason: record.refusedSignIn.reason,
      address: record.refusedSignIn.address,
    },
    nameClash: record.nameClash && { at: iso(record.nameClash.atMs), addresses: [...record.nameClash.addresses] },
    createdAt: iso(record.createdAtMs),
    currentUpdate: record.currentUpdate
      ? deviceUpdate(record.currentUpdate, policies.get(record.currentUpdate.taskId))
      : null,
  });

  return {
    task,
    deviceUpdate,
    device,
    policiesOf: (updates: Iterable<DeviceUpdateRecord>) => policiesOf(records, updates),
  };
}

type Policies = ReadonlyMap<string, UpdatePolicy>;

/** The policies of the tasks that the open ones of some device updates belong to; there are few such tasks. */
async function policiesOf(records: Records, updates: Iterable<DeviceUpdateRecord>): Promise<Policies> {
  const taskIds = new Set<string>();
  for (const { endedAtMs, taskId } of updates) if (endedAtMs === null) taskIds.add(taskId);
  const tasks = await Promise.all(Array.from(taskIds, (taskId) => records.getTask(taskId)));
  return new Map(tasks.flatMap((found) => (found ? [[found.id, found.policy] as const] : [])));
}

function waitingAnswer(record: DeviceUpdateRecord, policy: UpdatePolicy): DeviceUpdateAnswer['waitingFor'] {
  const waiting = waitingFor(record, policy, record.protocol, record.createdAtMs);
  if (!waiting) return null;
  return {
    what: waiting.what,
    since: iso(waiting.sinceMs),
    until: isoOrNull(waiting.untilMs),
    then: waiting.then,
    text: waiting.text,
  };
}

/** The page of a run in the Temporal UI; of its newest run while the run's id isn't known. */
function runUrl(ui: ApiDeps['temporalUi'], workflowId: string, runId: string | null): string | null {
  if (ui === null) return null;
  const page = `${ui.url}/namespaces/${encodeURIComponent(ui.namespace)}/workflows/${encodeURIComponent(workflowId)}`;
  return runId === null ? page : `${page}/${runId}/history`;
}
