import type { Behaviour } from './behaviour.js';
import type { UpdateEnd } from './events.js';
import { UpdateFailed, type Update } from './update.js';

const HALF = 50;
const BUSY_STEP_MAX = 99;

async function ok(update: Update): Promise<UpdateEnd> {
  await update.downloadAndCheck();
  return update.install(update.notification.version);
}

/** Each carries out one update, and answers how it ended; a failure that the device reports is thrown. */
const CARRY_OUT: Readonly<Record<Behaviour, (update: Update) => Promise<UpdateEnd>>> = {
  ok,
  'offline-then-online': ok,

  slow(update) {
    update.slowDown(update.timing.slowFactor);
    return ok(update);
  },

  async drops(update) {
    await update.downloadBetween(0, HALF);
    await update.loseConnections();
    await update.downloadBetween(HALF, 100);
    update.check();
    return update.install(update.notification.version);
  },

  async 'download-failed'(update) {
    await update.downloadBetween(0, HALF);
    throw new UpdateFailed(-2, 'The connection was reset in mid-download.');
  },

  async 'verification-failed'(update) {
    update.corruptDownload();
    await update.downloadAndCheck();
    return update.install(update.notification.version);
  },

  async 'extraction-failed'(update) {
    await update.downloadAndCheck();
    await update.pause(update.timing.burnMs);
    throw new UpdateFailed(-4, 'The flash can not be written.');
  },

  restarts: ok,
  unacknowledged: ok,

  quiet(update) {
    update.keepQuiet();
    return ok(update);
  },

  async 'away-in-mid-update'(update) {
    await update.downloadBetween(0, HALF);
    await update.loseConnections(update.timing.awayMs);
    await update.downloadBetween(HALF, 100);
    update.check();
    return update.install(update.notification.version);
  },

  silent: () => Promise.resolve('silent'),

  async stalls(update) {
    await update.downloadBetween(0, HALF);
    return 'stalled';
  },

  async 'stays-on-old-version'(update) {
    await update.downloadAndCheck();
    return update.install(update.oldVersion);
  },

  async busy(update) {
    for (let step = 0; ; step = Math.min(step + 1, BUSY_STEP_MAX)) {
      await update.report(step);
      await update.pause(update.timing.stepDelayMs);
    }
  },
};

export const carryOut = (behaviour: Behaviour, update: Update): Promise<UpdateEnd> => CARRY_OUT[behaviour](update);
