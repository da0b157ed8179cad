import { Alert, Button } from 'antd';
import { useServerIsAway } from '../data/connection.js';
import { useStaleness } from '../data/staleness.js';
import { useFormat } from '../texts/format.js';
import { useTexts } from '../texts/language.js';

/**
 * Says that what the page shows may be old: since when, and whether the server answers, with a live stream or without.
 * While the server does not answer, nothing can be done.
 */
export function AwayBanner() {
  const isAway = useServerIsAway();
  const { asOfMs, isLive, retry } = useStaleness();
  const { frame } = useTexts();
  const format = useFormat();
  const asOf = asOfMs === undefined ? undefined : frame.asOf(format.clock(new Date(asOfMs).toISOString()));
  return (
    <div role="status">
      {isAway && (
        <Alert
          banner
          type="warning"
          showIcon
          title={asOf === undefined ? frame.away : `${frame.away} · ${asOf}`}
          description={frame.awayRemedy}
        />
      )}
      {!isAway && (asOf !== undefined || !isLive) && (
        <Alert
          banner
          type="warning"
          showIcon
          title={asOf ?? frame.notLive}
          description={asOf === undefined ? frame.notLiveText : frame.asOfText}
          action={
            <Button size="small" onClick={retry}>
              {frame.retry}
            </Button>
          }
        />
      )}
    </div>
  );
}
