import { Button } from 'antd';
import { useRouteError } from 'react-router';
import { Notice } from '../components/notice.js';
import { useTexts } from '../texts/language.js';

/** A page that broke: the frame around it stays. After an update of the service its files have other names. */
export function RouteError() {
  const error = useRouteError();
  const { frame } = useTexts();
  return (
    <Notice
      title={frame.pageBroke}
      text={frame.pageBrokeRemedy}
      detail={error instanceof Error ? error.message : undefined}
      action={
        <Button type="primary" onClick={() => window.location.reload()}>
          {frame.reload}
        </Button>
      }
    />
  );
}
