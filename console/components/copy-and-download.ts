/**
 * Puts a text on the clipboard. Over plain http from another host there is no clipboard API: the browser's own copy
 * command is told what to take.
 *
 * @returns false when the browser lets the page copy nothing
 */
export async function copyText(text: string): Promise<boolean> {
  // Its type says that it is always there.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard && (await clipboard.writeText(text).then(always, never))) return true;
  const give = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  };
  document.addEventListener('copy', give);
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way without https
    return document.execCommand('copy');
  } finally {
    document.removeEventListener('copy', give);
  }
}

const always = () => true;
const never = () => false;

/** Saves a text as a file, as if the server had sent it. */
export function downloadText(fileName: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}
