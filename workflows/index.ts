/** The workflow types that the worker serves: their names are what Temporal knows them by. */
export { batchUpdate } from './batch-update.js';
export { deviceUpdate } from './device-update.js';
export { shard } from './shard.js';
export { verification } from './verification.js';
