/*
 * The SDK keeps a stack trace of every promise of a run, for the call stack in the Temporal UI: at the usual 10 frames
 * a quarter of the workflow thread's time. The first four name the line that waits, and the promise above it has a
 * trace of its own (decision 36). Set before a run is there: afterwards `Error` is frozen.
 */
Error.stackTraceLimit = 4;
