import { Input } from 'antd';
import { useEffect, useState } from 'react';
import { useUrlState } from './url-state.js';

/** Sets `search` in the address; shows what is there, also when a button or the browser has changed it. */
export function SearchBox({ label, className }: { label: string; className?: string | undefined }) {
  const [get, set] = useUrlState();
  const search = get('search') ?? '';
  const [typed, setTyped] = useState(search);
  useEffect(() => setTyped(search), [search]);
  return (
    <Input.Search
      className={className ?? ''}
      allowClear
      placeholder={label}
      aria-label={label}
      maxLength={64}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onSearch={(text) => set({ search: text.trim() })}
    />
  );
}
