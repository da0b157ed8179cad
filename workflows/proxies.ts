import { proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/activities.js';

/*
 * Local activities: each is a few milliseconds of records and socket, and a task-queue round trip for each would cost
 * more than the work (design: measured).
 */

/** Bookkeeping and notifications must happen and can be repeated: retried for ever. */
export const activities = proxyLocalActivities<Activities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '30 seconds' },
});
