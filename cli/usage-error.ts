/** A command line that can't be carried out as it was written: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A command that did what it could and did not get there: its message is all there is to say, exit code 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

/** Ctrl-C ended the command before it was done: exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** A task that was followed to its end, which has been told already, and was not a full success. */
export class TaskNotSucceeded extends Error {
  override readonly name = 'TaskNotSucceeded';
  constructor(readonly exitCode: 3 | 4) {
    super('The task did not succeed on every device.');
  }
}
