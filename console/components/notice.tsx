import type { ReactNode } from 'react';
import styles from './notice.module.css';

interface NoticeProps {
  readonly title: string;
  readonly text?: ReactNode;
  /** For who looks into it, such as an error's own words. */
  readonly detail?: string | undefined;
  readonly action?: ReactNode;
}

/** A page or a list that has nothing to show: what that means, and what to do next. */
export function Notice({ title, text, detail, action }: NoticeProps) {
  return (
    <div className={styles['notice']}>
      <p className={styles['title']}>{title}</p>
      {text !== undefined && <p className={styles['text']}>{text}</p>}
      {detail !== undefined && (
        <p className={styles['text']}>
          <code>{detail}</code>
        </p>
      )}
      {action}
    </div>
  );
}
