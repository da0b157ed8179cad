/** Something that is not as it should be between records, runs, claims and files. */
export interface Difference {
  readonly kind:
    | 'task-without-run'
    | 'task-run-closed'
    | 'device-update-run-closed'
    | 'run-without-record'
    | 'run-of-ended-record'
    | 'counts-wrong'
    | 'claim-leaked'
    | 'claim-missing'
    | 'file-missing'
    | 'file-corrupt'
    | 'file-orphaned';
  /** What it is about: a task, a device in a task, a workflow id, a firmware, a file. */
  readonly subject: string;
  readonly sentence: string;
  /** What the repair does, or what a person has to do. */
  readonly remedy: string;
  /** Repairs it; absent where only a person can. @returns false when it could not be repaired */
  readonly fix?: () => Promise<boolean>;
}

/** What was looked at, and what was found. */
export interface Findings {
  readonly examined: number;
  readonly differences: readonly Difference[];
}
