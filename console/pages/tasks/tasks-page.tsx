import { Notice } from '../../components/notice.js';
import { PageHeader } from '../../components/page-header.js';
import { useTexts } from '../../texts/language.js';

export function Component() {
  const { tasks, frame } = useTexts();
  return (
    <>
      <PageHeader title={tasks.title} />
      <Notice title={frame.comingSoon} />
    </>
  );
}
