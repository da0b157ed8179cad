const PLAIN = /^[\p{L}\p{N}_@%+=:,./-]+$/u;

/** A word as it is typed in a POSIX shell: quoted where the shell would read more into it. */
export const shellWord = (text: string): string =>
  PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Words as they are typed one after the other. */
export const shellLine = (...words: readonly string[]): string => words.map(shellWord).join(' ');

/** A file whose name begins with a dash would be taken for an option. */
export const fileWord = (path: string): string => (path.startsWith('-') ? `./${path}` : path);
