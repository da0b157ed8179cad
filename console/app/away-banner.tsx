import { Alert } from 'antd';
import { useServerIsAway } from '../data/connection.js';
import { useTexts } from '../texts/language.js';

/** What is shown may be old and nothing can be done, until the server is back. */
export function AwayBanner() {
  const isAway = useServerIsAway();
  const { frame } = useTexts();
  return (
    <div role="status">
      {isAway && <Alert banner type="warning" title={frame.away} description={frame.awayRemedy} showIcon />}
    </div>
  );
}
