import { Option, type Command } from 'commander';
import type { PolicyRequestBody } from '../api/requests.js';
import { POLICY_BOUNDS } from '../domain/policy.js';
import { longDurationText, parseDuration, wholeNumber } from './durations.js';
import { UsageError } from './usage-error.js';

const GROUP = 'Policy (defaults in brackets):';

/** A task's time limits as options. */
export function addPolicyOptions(command: Command, defaults: { readonly offline: string }): Command {
  const duration = (flag: string, text: string) =>
    command.addOption(new Option(`${flag} <duration>`, text).argParser(parseDuration).helpGroup(GROUP));
  duration('--offline-timeout', `how long an offline device is waited for [${defaults.offline}]`);
  duration('--response-timeout', 'after a notification, until it is sent again; doubled each time [5m]');
  duration('--stall-timeout', 'while upgrading, without any progress report [30m]');
  duration('--confirmation-timeout', 'after step 100, until the new version is reported [15m]');
  duration('--offline-mid-update', 'how long a device that leaves in mid-update is waited for; 0s: not at all [24h]');
  duration('--overall-timeout', 'from the first progress to the end [24h]');
  duration('--soak', 'after the new version is reported, how long it must keep it to succeed [0s]');
  duration('--reconnect-grace', 'after a reconnection in mid-update, before a new notification [15s]');
  return command
    .addOption(
      new Option('--notifications <count>', 'to a silent device, the first included [3]')
        .argParser(wholeNumber(1))
        .helpGroup(GROUP),
    )
    .addOption(new Option('--allow-downgrade', 'also update devices that run a newer version [no]').helpGroup(GROUP));
}

export interface PolicyOptions {
  readonly offlineTimeout?: number;
  readonly responseTimeout?: number;
  readonly stallTimeout?: number;
  readonly confirmationTimeout?: number;
  readonly offlineMidUpdate?: number;
  readonly overallTimeout?: number;
  readonly soak?: number;
  readonly reconnectGrace?: number;
  readonly notifications?: number;
  readonly allowDowngrade?: boolean;
}

const OPTIONS = {
  offlineTimeoutMs: ['offlineTimeout', '--offline-timeout'],
  responseTimeoutMs: ['responseTimeout', '--response-timeout'],
  notificationsMax: ['notifications', '--notifications'],
  stallTimeoutMs: ['stallTimeout', '--stall-timeout'],
  confirmationTimeoutMs: ['confirmationTimeout', '--confirmation-timeout'],
  offlineMidUpdateMs: ['offlineMidUpdate', '--offline-mid-update'],
  overallTimeoutMs: ['overallTimeout', '--overall-timeout'],
  soakMs: ['soak', '--soak'],
  reconnectGraceMs: ['reconnectGrace', '--reconnect-grace'],
} as const satisfies Record<keyof typeof POLICY_BOUNDS, readonly [keyof PolicyOptions, string]>;

/** The option for each number of a policy. */
export const POLICY_FLAGS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(OPTIONS).map(([field, [, flag]]) => [field, flag]),
);

/**
 * What the options set of the policy; the service adds its defaults.
 *
 * @throws UsageError naming every option that is out of bounds
 */
export function policyOf(options: PolicyOptions): PolicyRequestBody | undefined {
  const policy: PolicyRequestBody = {};
  const problems: string[] = [];
  for (const [field, { min, max }] of Object.entries(POLICY_BOUNDS)) {
    const [name, flag] = OPTIONS[field as keyof typeof OPTIONS];
    const value = options[name];
    if (value === undefined) continue;
    policy[field as keyof typeof OPTIONS] = value;
    if (value >= min && value <= max) continue;
    const inWords = field.endsWith('Ms') ? longDurationText : String;
    problems.push(`${flag}: must be from ${inWords(min)} to ${inWords(max)}; it is ${inWords(value)}`);
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n  '));
  if (options.allowDowngrade !== undefined) policy.allowDowngrade = options.allowDowngrade;
  return Object.keys(policy).length > 0 ? policy : undefined;
}
