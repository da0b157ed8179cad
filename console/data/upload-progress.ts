import { useCallback, useEffect, useRef, useState } from 'react';
import type { Upload } from './upload.js';

/** How far the upload of a dialog is, in per cent, and what ends it; it ends with the dialog as well. */
export function useUploadProgress() {
  const [percent, setPercent] = useState(0);
  const ending = useRef(new AbortController());
  useEffect(() => () => ending.current.abort(), []);
  // Always the same function: the second click of a double click must ask for the same upload.
  const onProgress = useCallback(
    (done: number, total: number) => setPercent(total === 0 ? 0 : Math.floor((100 * done) / total)),
    [],
  );
  return {
    percent,
    /** What an upload takes. The second click of a double click gets the signal of the first. */
    begin(): Required<Pick<Upload, 'onProgress' | 'signal'>> {
      if (ending.current.signal.aborted) ending.current = new AbortController();
      setPercent(0);
      return { onProgress, signal: ending.current.signal };
    },
    end: () => ending.current.abort(),
  };
}
