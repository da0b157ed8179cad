import { useEffect, useState } from 'react';
import { useFormat } from '../texts/format.js';

interface TimeProps {
  /** ISO 8601; null shows a dash. */
  readonly at: string | null;
  /** Where several times lie within a minute. */
  readonly withSeconds?: boolean;
}

/** A time in the viewer's zone; the exact one on pointing at it. */
export function Time({ at, withSeconds = false }: TimeProps) {
  const format = useFormat();
  if (at === null) return <>–</>;
  return (
    <time dateTime={at} title={format.exactTime(at)}>
      {withSeconds ? format.timeToSecond(at) : format.time(at)}
    </time>
  );
}

const TICK_MS = 10_000;

/** How long ago, or how long until then. */
export function Ago({ at }: Pick<TimeProps, 'at'>) {
  const format = useFormat();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  if (at === null) return <>–</>;
  return (
    <time dateTime={at} title={format.exactTime(at)}>
      {format.ago(at)}
    </time>
  );
}
