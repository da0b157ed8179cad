import { sleep } from '@temporalio/workflow';

/*
 * The workflows' broken twins: same names, other commands first. Replaying a saved history against them must fail, or
 * the replay tests prove nothing.
 */

const otherwise = async (): Promise<void> => sleep('1 second');

export { otherwise as batchUpdate, otherwise as deviceUpdate, otherwise as shard, otherwise as verification };
