import { customAlphabet } from 'nanoid';

const LETTERS_AND_DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** Of firmware and tasks: without `-` and `_`, so that it is one word to a double click and no option to a shell. */
export const newId = customAlphabet(LETTERS_AND_DIGITS, 16);
export const newProductKey = customAlphabet(LETTERS_AND_DIGITS, 11);
/** 32 letters and digits: as the vendor's consoles make them. */
export const newDeviceSecret = customAlphabet(LETTERS_AND_DIGITS, 32);
