import { Notice } from '../../components/notice.js';
import { PageHeader } from '../../components/page-header.js';
import { useTexts } from '../../texts/language.js';

export function Component() {
  const { firmwareDetails, frame } = useTexts();
  return (
    <>
      <PageHeader title={firmwareDetails.title} />
      <Notice title={frame.comingSoon} />
    </>
  );
}
