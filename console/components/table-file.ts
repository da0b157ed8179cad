import { decodeTable } from '../../domain/table-text.js';

/** The text of a table in a file, in whichever encoding a spreadsheet has written it. */
export const tableText = async (file: File): Promise<string> => decodeTable(new Uint8Array(await file.arrayBuffer()));
