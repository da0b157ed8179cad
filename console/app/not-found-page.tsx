import { Link } from 'react-router';
import { Notice } from '../components/notice.js';
import { useTexts } from '../texts/language.js';
import { PATHS } from './paths.js';

export function NotFoundPage() {
  const { frame } = useTexts();
  return (
    <Notice
      title={frame.notFound}
      text={frame.notFoundRemedy}
      action={<Link to={PATHS.overview}>{frame.toOverview}</Link>}
    />
  );
}
