import type { ReactNode } from 'react';
import styles from './clip.module.css';

/** A name that may be long: cut to its place, whole on pointing at it. */
export function Clip({ text, children = text }: { text: string; children?: ReactNode }) {
  return (
    <span className={styles['clip']} title={text}>
      {children}
    </span>
  );
}
