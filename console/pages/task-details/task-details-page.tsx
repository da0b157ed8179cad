import { Notice } from '../../components/notice.js';
import { PageHeader } from '../../components/page-header.js';
import { useTexts } from '../../texts/language.js';

export function Component() {
  const { taskDetails, frame } = useTexts();
  return (
    <>
      <PageHeader title={taskDetails.title} />
      <Notice title={frame.comingSoon} />
    </>
  );
}
