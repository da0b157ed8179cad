import type { InjectedSinks } from '@temporalio/worker';
import type { StorySinks } from '../../workflows/story.js';

const silent = { fn: () => undefined, callDuringReplay: false };

/** For a worker at work, which replays too after a restart: without it, the SDK logs an error at each step. */
export const SILENT_STORY: InjectedSinks<StorySinks> = { story: { deviceUpdate: silent, outcomes: silent } };
