/** Why a backup or a restore was refused or broke off, in words for whoever ran it: exit code 1, nothing else to say. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}
