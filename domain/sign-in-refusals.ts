/** Why a device was not let in, in words for operators. The client is never told. */
export const SIGN_IN_REFUSALS = {
  'wrong-secret': 'wrong secret',
  'unknown-device': 'unknown device',
  revoked: 'the device is revoked',
  'method-off': 'its sign method is switched off (FERRY_SIGN_METHODS)',
  'certificate-mismatch': 'its certificate names another device',
  malformed: 'malformed client id, username or password',
  'held-back': 'held back after too many failures',
} as const;
export type SignInRefusal = keyof typeof SIGN_IN_REFUSALS;
