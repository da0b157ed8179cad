import { Typography } from 'antd';
import type { ReactNode } from 'react';

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
    <div style={{ maxWidth: 520, margin: '0 auto', padding: '48px 16px', textAlign: 'center' }}>
      <Typography.Title level={4}>{title}</Typography.Title>
      {text !== undefined && <Typography.Paragraph type="secondary">{text}</Typography.Paragraph>}
      {detail !== undefined && (
        <Typography.Paragraph type="secondary">
          <code>{detail}</code>
        </Typography.Paragraph>
      )}
      {action}
    </div>
  );
}
