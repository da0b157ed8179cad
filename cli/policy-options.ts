import { Option, type Command } from 'commander';
import type { PolicyRequestBody } from '../api/requests.js';
import { parseDuration, wholeNumber } from './durations.js';

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

/** What the options set of the policy; the service checks bounds and adds its defaults. */
export function policyOf(options: PolicyOptions): PolicyRequestBody | undefined {
  const policy: PolicyRequestBody = {
    offlineTimeoutMs: options.offlineTimeout,
    responseTimeoutMs: options.responseTimeout,
    notificationsMax: options.notifications,
    stallTimeoutMs: options.stallTimeout,
    confirmationTimeoutMs: options.confirmationTimeout,
    offlineMidUpdateMs: options.offlineMidUpdate,
    overallTimeoutMs: options.overallTimeout,
    soakMs: options.soak,
    reconnectGraceMs: options.reconnectGrace,
    allowDowngrade: options.allowDowngrade,
  };
  return Object.values<unknown>(policy).some((value) => value !== undefined) ? policy : undefined;
}
