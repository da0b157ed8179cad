/** What a program needs to find its files and to speak to the user. */
const NEEDED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TMP|TEMP|TZ|LANG|LANGUAGE|LC_\w+|XDG_\w+|SystemRoot|GO(MAXPROCS|GC|MEMLIMIT|DEBUG))$/;
/** What fetching and building need besides; a proxy's address may hold a password. */
const NEEDED_TO_FETCH =
  /^((HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|GO[A-Z0-9]*|CGO_\w+|CC|CXX|GIT_\w+)$/i;

/**
 * The environment for programs that are not Ferry's own: what else this process was given, such as the keys and tokens
 * of Ferry or of its neighbours, can then not be read from them.
 *
 * @param use what the program does
 */
export const environmentOfOthers = (env: NodeJS.ProcessEnv, use: 'serve' | 'fetch'): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => NEEDED.test(name) || (use === 'fetch' && NEEDED_TO_FETCH.test(name))),
  );
