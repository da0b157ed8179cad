import { lazy, Suspense, useState } from 'react';
import { ActionButton } from '../../components/action-button.js';
import { useTexts } from '../../texts/language.js';

const UploadAgainDialog = lazy(() => import('./upload-again-dialog.js'));

interface UploadAgainProps {
  readonly firmware: { readonly id: string; readonly name: string; readonly version: string };
}

/** What mends a damaged firmware file, wherever somebody is told of it. */
export function UploadAgain({ firmware }: UploadAgainProps) {
  const { firmware: texts } = useTexts();
  const [isAsked, setIsAsked] = useState(false);
  return (
    <>
      <ActionButton permission="firmware:write" onClick={() => setIsAsked(true)}>
        {texts.uploadAgain}
      </ActionButton>
      <Suspense fallback={null}>
        {isAsked && <UploadAgainDialog firmware={firmware} onClose={() => setIsAsked(false)} />}
      </Suspense>
    </>
  );
}
