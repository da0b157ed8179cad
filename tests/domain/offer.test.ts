import { describe, expect, it } from 'vitest';
import { offerOf, type OfferFacts } from '../../domain/offer.js';
import { isStopped, taskGate, type GateFacts } from '../../domain/task-gate.js';

const task: GateFacts = {
  ...{ status: 'running', pausedCause: null, needsApproval: false, approval: null },
  ...{ cancelRequestedAtMs: null, endRequestedAtMs: null },
};
const facts: OfferFacts = {
  task,
  record: { status: 'pending', cancelRequestedAtMs: null },
  firmware: { version: '2.0.0' },
  isDeviceRevoked: false,
  installedVersion: '1.0.0',
  reportedFailure: null,
  kind: 'batch',
  sourceVersions: ['1.0.0'],
  policy: { allowDowngrade: false },
};
const failure = { cause: 'download-failed', description: '', atMs: 1 } as const;

describe('a task', () => {
  it.each<[string, Partial<GateFacts>]>([
    ['open', {}],
    ['open', { status: 'pending' }],
    ['open', { needsApproval: true, approval: { decision: 'approved' } }],
    ['cancelled', { cancelRequestedAtMs: 1 }],
    ['cancelled', { status: 'cancelled' }],
    ['cancelled', { cancelRequestedAtMs: 1, status: 'paused' }],
    ['ended', { endRequestedAtMs: 1 }],
    ['ended', { status: 'completed' }],
    ['rejected', { status: 'rejected' }],
    ['rejected', { status: 'awaiting-approval', needsApproval: true, approval: { decision: 'rejected' } }],
    ['awaiting-approval', { status: 'awaiting-approval', needsApproval: true }],
    ['awaiting-approval', { status: 'pending', needsApproval: true }],
    ['paused', { status: 'paused', pausedCause: 'firmware-file-damaged' }],
  ])('has a gate that is %s (%#)', (gate, change) => {
    expect(taskGate({ ...task, ...change })).toBe(gate);
  });

  it('is stopped from the request on, not only at its end', () => {
    expect(isStopped({ ...task, cancelRequestedAtMs: 1 })).toBe(true);
    expect(isStopped({ ...task, status: 'paused' })).toBe(false);
    expect(isStopped(task)).toBe(false);
  });
});

describe('a device', () => {
  it('may have its update while nothing speaks against it', () => {
    expect(offerOf(facts)).toEqual({ kind: 'given' });
    expect(offerOf({ ...facts, installedVersion: null })).toEqual({ kind: 'given' });
  });

  it('in mid-update may have it again whatever it runs for a moment', () => {
    const record = { status: 'upgrading', cancelRequestedAtMs: null } as const;
    expect(offerOf({ ...facts, record, installedVersion: '0.1.0' })).toEqual({ kind: 'given' });
  });

  it.each<[string, Partial<OfferFacts>]>([
    ['cancelled', { task: { ...task, cancelRequestedAtMs: 1 } }],
    ['cancelled', { task: { ...task, endRequestedAtMs: 1 } }],
    ['cancelled', { task: { ...task, status: 'rejected' } }],
    ['cancelled', { record: { status: 'pending', cancelRequestedAtMs: 1 } }],
    ['cancelled', { record: { status: 'completed', cancelRequestedAtMs: null } }],
    ['revoked', { isDeviceRevoked: true }],
    ['failed', { reportedFailure: failure }],
    ['on-target', { installedVersion: '2.0.0' }],
    ['unfit', { installedVersion: '1.5.0' }],
    ['held', { task: { ...task, status: 'paused' } }],
    ['held', { task: { ...task, needsApproval: true } }],
  ])('does not get it when it is %s (%#)', (kind, change) => {
    expect(offerOf({ ...facts, ...change }).kind).toBe(kind);
  });

  it('hears the reason for which its task is held', () => {
    const paused = { ...task, status: 'paused', pausedCause: 'firmware-file-damaged' } as const;
    expect(offerOf({ ...facts, task: paused })).toEqual({ kind: 'held', by: 'file-damaged' });
    expect(offerOf({ ...facts, task: { ...task, status: 'paused' } })).toEqual({ kind: 'held', by: 'paused' });
  });

  it('is told of the end of its task rather than of what else speaks against it', () => {
    const stopped = { ...task, status: 'paused', cancelRequestedAtMs: 1 } as const;
    expect(offerOf({ ...facts, task: stopped, installedVersion: '2.0.0', isDeviceRevoked: true }).kind).toBe(
      'cancelled',
    );
  });
});
