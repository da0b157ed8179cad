import { CancelledFailure } from '@temporalio/common';
import { CancellationScope, patched, type ChildWorkflowHandle, type Workflow } from '@temporalio/workflow';

/** Histories from before it go on as they were. */
const PATCH = 'cancelled-once-started';

/**
 * Starts a child that a cancellation of the present scope reaches for sure: a request that is sent while the start is
 * under way may find nobody, and Temporal does not repeat it.
 *
 * @throws CancelledFailure when the scope is cancelled already; what `start` throws
 */
export async function startCancellable<T extends Workflow>(
  start: () => Promise<ChildWorkflowHandle<T>>,
): Promise<ChildWorkflowHandle<T>> {
  const outer = CancellationScope.current();
  const isCancelled = () => outer.consideredCancelled;
  if (isCancelled()) throw new CancelledFailure('Cancelled before its start');
  // Cancelled by nobody but this function.
  const shield = new CancellationScope({ cancellable: false });
  const scope = new CancellationScope({ cancellable: true, parent: shield });
  let isStarted = false;
  outer.cancelRequested.catch(() => {
    if (isStarted || !patched(PATCH)) scope.cancel();
  });
  const child = await scope.run(start);
  isStarted = true;
  if (isCancelled()) scope.cancel();
  return child;
}
