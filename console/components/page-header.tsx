import { Typography } from 'antd';
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
          <Typography.Title level={1} style={{ margin: 0, fontSize: 22 }}>
            {title}
          </Typography.Title>
          {mark}
        </div>
        {text !== undefined && <Typography.Text type="secondary">{text}</Typography.Text>}
      </div>
      {actions !== undefined && <div className={styles['actions']}>{actions}</div>}
    </div>
  );
}
