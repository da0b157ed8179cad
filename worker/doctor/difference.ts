/** Something that is not as it should be between records, runs, claims and files. */
export interface Difference {
  readonly kind:
    | 'task-without-run'
    | 'task-run-closed'
    | 'device-update-run-closed'
    | 'device-update-forgotten'
    | 'run-without-record'
    | 'run-of-ended-record'
    | 'counts-wrong'
    | 'claim-leaked'
    | 'claim-missing'
    | 'failure-counts-wrong'
    | 'device-counts-wrong'
    | 'version-counts-wrong'
    | 'file-missing'
    | 'file-corrupt'
    | 'file-orphaned';
  /** What it is about: a task, a device in a task, a workflow id, a firmware, a file. */
  readonly subject: string;
  readonly sentence: string;
  /** What a person has to do; or what `fix` does. */
  readonly remedy: string | Repair;
  /** Repairs it; absent where only a person can. @returns false when it could not be repaired */
  readonly fix?: () => Promise<boolean>;
}

/** A repair in words: as long as it is not made, and once it is. */
export interface Repair {
  readonly would: string;
  readonly did: string;
}

/** What was looked at, and what was found. */
export interface Findings {
  readonly examined: number;
  readonly differences: readonly Difference[];
}
