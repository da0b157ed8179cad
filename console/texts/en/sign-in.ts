export const signIn = {
  title: 'Sign in to Ferry',
  text: 'Firmware updates for device fleets',
  token: 'Token',
  tokenRequired: 'Enter the token',
  tokenHelp:
    'Your own token, from an administrator. The administrator’s was shown at the first start of the service, which keeps it in the file admin-token of its data folder.',
  signIn: 'Sign in',
  tokenRefused: { title: 'The token is not valid', description: 'Copy the whole token, without blanks around it.' },
  linkRefused: {
    title: 'The link was used or has expired',
    description: 'A link signs in once, within a day. Sign in with the token.',
  },
  withLink: 'Signing in with the link …',
  again: 'Sign in again',
  againText: 'Your session has ended. What you have typed is still there.',
};
