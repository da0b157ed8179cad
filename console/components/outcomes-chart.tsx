import { Skeleton } from 'antd';
import { lazy, Suspense } from 'react';
import type { TimelineAnswer } from '../../api/schemas.js';

/** The chart library comes with the first page that shows one. */
const OutcomesCanvas = lazy(() => import('./outcomes-canvas.js'));

/** Device updates that ended, over time, by how they ended. */
export function OutcomesChart({ timeline }: { timeline: TimelineAnswer }) {
  return (
    <Suspense fallback={<Skeleton.Node active style={{ width: '100%', height: 200 }} />}>
      <OutcomesCanvas timeline={timeline} />
    </Suspense>
  );
}
