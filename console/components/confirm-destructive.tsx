import { lazy, Suspense } from 'react';
import type { ConfirmDestructiveProps } from './confirm-dialog.js';

const ConfirmDialog = lazy(() => import('./confirm-dialog.js'));

/** Asks before what can't be undone, naming the number of devices; loaded when it is first asked. */
export function ConfirmDestructive(props: ConfirmDestructiveProps) {
  if (!props.open) return null;
  return (
    <Suspense fallback={null}>
      <ConfirmDialog {...props} />
    </Suspense>
  );
}
