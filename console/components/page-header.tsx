import { useEffect, type ReactNode } from 'react';
import styles from './page-header.module.css';

interface PageHeaderProps {
  /** Also the title of the browser's tab. */
  readonly title: string;
  /** Beside the title, such as a status. */
  readonly mark?: ReactNode;
  /** One sentence. */
  readonly text?: ReactNode;
  /** The page's actions. */
  readonly actions?: ReactNode;
}

export function PageHeader({ title, mark, text, actions }: PageHeaderProps) {
  useEffect(() => {
    document.title = `${title} · Ferry`;
  }, [title]);
  return (
    <div className={styles['header']}>
      <div className={styles['words']}>
        <div className={styles['title']}>
          <h1>{title}</h1>
          {mark}
        </div>
        {text !== undefined && <p className={styles['text']}>{text}</p>}
      </div>
      {actions !== undefined && <div className={styles['actions']}>{actions}</div>}
    </div>
  );
}
