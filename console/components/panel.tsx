import { useId, type ReactNode } from 'react';
import styles from './panel.module.css';

interface PanelProps {
  readonly title?: string;
  /** At the end of the title's line. */
  readonly extra?: ReactNode;
  /** Place in a grid. */
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

/** A part of a page under its own heading. (The library's Card brings tabs and menus along.) */
export function Panel({ title, extra, className = '', children }: PanelProps) {
  const id = useId();
  return (
    <section className={`${styles['panel'] ?? ''} ${className}`} aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <div className={styles['head']}>
          <h2 id={id}>{title}</h2>
          {extra}
        </div>
      )}
      <div className={styles['body']}>{children}</div>
    </section>
  );
}
