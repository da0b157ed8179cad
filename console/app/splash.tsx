import { Spin } from 'antd';

/** While the first page loads. */
export function Splash() {
  return (
    <div style={{ display: 'grid', placeItems: 'center', minHeight: '60vh' }}>
      <Spin size="large" />
    </div>
  );
}
