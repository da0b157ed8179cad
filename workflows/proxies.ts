import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';

/*
 * Local activities: each is a few milliseconds of records and socket, and a task-queue round trip for each would cost
 * more than the work (design: measured).
 */

/**
 * Bookkeeping and notifications must happen and can be repeated: retried for ever. Within the workflow task for some
 * seconds only, then by timers: a task that goes on holds one of the worker's few slots, and forty that fail would
 * stop all others.
 */
export const activities = proxyLocalActivities<Activities>({
  startToCloseTimeout: '10 seconds',
  localRetryThreshold: '2 seconds',
  // Each costs six events then: a run lives through six days of it.
  retry: { initialInterval: '200 milliseconds', maximumInterval: '1 minute' },
});

/**
 * What makes a request to the engine for each of many devices: it takes longer than a workflow task may. Retried for
 * ever as well; the heartbeat tells soon when its worker is gone.
 */
export const longActivities = proxyActivities<Pick<Activities, 'closeUntoldRuns' | 'whoHolds'>>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '2 minutes',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});
