/** Why Ferry can't start, in words for whoever started it: the command prints just this and exits with 1. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}
