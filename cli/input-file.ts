import { readFile } from 'node:fs/promises';

/** @throws the file system's error, which names the file: Node leaves that out when it is a folder */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw Object.assign(error as Error, { path });
  }
}

/** A text file in UTF-8, or in UTF-16 as spreadsheets write it. @throws as `readBytes` */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes);
}
