import { LeftOutlined, RightOutlined } from '@ant-design/icons';
import type { UseQueryResult } from '@tanstack/react-query';
import { Button, Skeleton } from 'antd';
import type { ComponentProps, ReactNode } from 'react';
import type { PageAnswer } from '../../api/schemas.js';
import { useTexts } from '../texts/language.js';
import { DataTable } from './data-table.js';
import type { Paging } from './paging.js';
import { ProblemAlert } from './problem-alert.js';
import styles from './paged-table.module.css';

interface PagedTableProps<T> extends Pick<
  ComponentProps<typeof DataTable<T>>,
  'columns' | 'rowKey' | 'selection' | 'label'
> {
  readonly query: Pick<UseQueryResult<PageAnswer<T>>, 'data' | 'error' | 'isPlaceholderData' | 'refetch'>;
  readonly paging: Paging;
  /** What to do when there is nothing; a `Notice`. */
  readonly empty: ReactNode;
}

/** A list of which the server holds the pages; the browser never has more than one. */
export function PagedTable<T extends object>({ query, paging, empty, label, ...table }: PagedTableProps<T>) {
  const { frame } = useTexts();
  const { data, error, isPlaceholderData } = query;
  if (error && !data) return <ProblemAlert error={error} onRetry={query.refetch} />;
  if (data?.items.length === 0 && paging.isFirst) return empty;
  return (
    <section className={styles['box']} aria-label={label}>
      {data ? (
        <DataTable<T> {...table} label={label} rows={data.items} isLoading={isPlaceholderData} />
      ) : (
        <Skeleton active className={styles['skeleton'] ?? ''} />
      )}
      <nav className={styles['pages']} aria-label={frame.pages}>
        {paging.number !== undefined && <span>{frame.pageNumber(paging.number)}</span>}
        <Button icon={<LeftOutlined />} disabled={paging.isFirst} onClick={paging.previous}>
          {frame.previousPage}
        </Button>
        <Button
          icon={<RightOutlined />}
          iconPlacement="end"
          disabled={!data?.nextCursor || isPlaceholderData}
          onClick={() => paging.next(data?.nextCursor ?? '')}
        >
          {frame.nextPage}
        </Button>
      </nav>
    </section>
  );
}
