import type { ErrorCode } from '../../../domain/errors.js';

interface Problem {
  /** What happened. */
  readonly title: string;
  /** What to do. */
  readonly remedy: string;
}

/** Every refusal of the API by its code. The server's own sentence, with names and numbers, is shown below. */
const byCode: Readonly<Record<ErrorCode, Problem>> = {
  'invalid-request': {
    title: 'Something in the form is not right',
    remedy: 'Change what is named here and try again.',
  },
  unauthorized: { title: 'You are not signed in', remedy: 'Sign in with a valid token.' },
  forbidden: { title: 'You may not do this', remedy: 'Ask an administrator for the permission.' },
  'not-found': { title: 'It does not exist', remedy: 'It may have been removed. Go back and load the list again.' },
  'product-exists': { title: 'The product key is taken', remedy: 'Choose another product key.' },
  'product-in-use': {
    title: 'The product is in use',
    remedy: 'Delete its devices and firmware, and revoke its tokens first.',
  },
  'device-in-use': {
    title: 'An open task updates the device',
    remedy: 'Wait for the end of the task, or cancel the update of the device.',
  },
  'device-exists': { title: 'A device of that name exists', remedy: 'Choose another device name; nothing was added.' },
  'firmware-name-invalid': {
    title: 'The firmware name breaks the rule',
    remedy: 'Use only Chinese characters, English letters, digits and underscores.',
  },
  'firmware-too-large': { title: 'The firmware file is too large', remedy: 'Choose a smaller file.' },
  'firmware-empty': { title: 'The firmware file is empty', remedy: 'Choose the file again.' },
  'firmware-quota-exceeded': {
    title: 'The firmware quota is used up',
    remedy: 'Deleted firmware counts too. An administrator can raise the limit (FERRY_FIRMWARE_MAX).',
  },
  'firmware-version-exists': { title: 'This version exists already', remedy: 'Choose another version.' },
  'firmware-in-use': { title: 'An open task uses the firmware', remedy: 'Wait for the end of the task, or cancel it.' },
  'firmware-signature-invalid': {
    title: 'The signature is missing or not valid',
    remedy: 'Sign the file with a key that the product trusts: ferry firmware sign.',
  },
  'trust-undecided': {
    title: 'Nobody has decided whose firmware this product takes',
    remedy: 'The records were rebuilt. Have an administrator set its keys, or allow any firmware: ferry product trust.',
  },
  'firmware-deleted': { title: 'The firmware is deleted', remedy: 'Add it again to use it.' },
  'firmware-not-verified': {
    title: 'The firmware is not verified',
    remedy: 'Validate it on a few devices first.',
  },
  'firmware-not-proven': {
    title: 'Too few devices have succeeded in verifications of this firmware',
    remedy: 'Validate it on more devices, or lower the number that the product needs.',
  },
  'update-task-conflict': {
    title: 'Another batch updates the same source version',
    remedy: 'Wait for its end, cancel it, or choose other source versions.',
  },
  'downgrade-not-allowed': {
    title: 'That would be a downgrade',
    remedy: 'Allow downgrades under "Advanced" if you mean it.',
  },
  'devices-invalid': { title: 'Some devices can not take part', remedy: 'Take them off the list and try again.' },
  'no-target-devices': {
    title: 'No device to update',
    remedy: 'No device runs one of the chosen source versions. Choose others.',
  },
  'task-not-awaiting-approval': {
    title: 'The task does not wait for approval',
    remedy: 'Somebody else may have decided; look at the task.',
  },
  'second-operator-required': {
    title: 'A second operator must decide',
    remedy: 'Who created the task can not approve it. Ask a colleague.',
  },
  'token-exists': { title: 'A token of that name exists', remedy: 'Choose another name, or revoke the old one.' },
  'too-many-requests': { title: 'Too many attempts', remedy: 'Wait a little, then try again.' },
  'task-not-open': { title: 'The task has ended', remedy: 'There is nothing left to stop.' },
  'task-not-ended': { title: 'The task has not ended', remedy: 'Wait for its end, or cancel it.' },
  'not-a-verification': { title: 'The task is not a verification', remedy: 'A batch update can only be cancelled.' },
  'verification-reached-nobody': {
    title: 'No device was reached yet',
    remedy: 'Wait until a device is notified, or cancel the task.',
  },
  'batch-too-large': {
    title: 'Too many devices for one batch',
    remedy: 'Name fewer source versions, or list the devices of several batches.',
  },
  'nothing-to-reinitiate': { title: 'No failed device', remedy: 'There is nothing to re-initiate.' },
  'device-update-ended': { title: 'The update of this device has ended', remedy: 'There is nothing left to cancel.' },
  'idempotency-key-reused': {
    title: 'This was sent before in another form',
    remedy: 'Close the dialog, open it again and send it once more.',
  },
  'registration-changed': {
    title: 'These devices were registered before and have changed since',
    remedy: 'Rotate the secrets of devices that need one.',
  },
  'method-not-allowed': { title: 'The server does not know this action', remedy: 'Load the page again.' },
  'unsupported-media-type': { title: 'The server does not take this content', remedy: 'Load the page again.' },
  'request-too-large': { title: 'That is too much at once', remedy: 'Send it in several parts.' },
  'firmware-file-damaged': {
    title: 'The stored firmware file is damaged',
    remedy: 'Add the same file again: that repairs it, and waiting updates go on.',
  },
  'storage-unavailable': {
    title: 'The database of the service can not be written',
    remedy:
      'Nothing of this was kept. Have an administrator free space in the data folder, or end the program that locks it.',
  },
  'workflow-engine-away': {
    title: 'The workflow engine is away',
    remedy: 'Running updates are not lost. Try again in a moment.',
  },
  internal: {
    title: 'Something went wrong in Ferry',
    remedy: 'Try again. If it stays, an administrator finds the cause in the log by this number.',
  },
};

export const problems = {
  byCode,
  unreachable: {
    title: 'The server does not answer',
    remedy: 'It may be restarting. Updates that run are not lost; try again in a moment.',
  } as Problem,
  unknown: { title: 'Something went wrong on this page', remedy: 'Load the page again.' } as Problem,
  conflict: (versions: string, firmware: string) => `${versions} is being updated to ${firmware}: open that task`,
  more: (count: number) => `and ${count} more`,
};
