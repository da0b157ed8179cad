export const signIn = {
  title: 'Sign in to Ferry',
  text: 'Firmware updates for device fleets',
  token: 'Token',
  tokenRequired: 'Enter the token',
  tokenHelp:
    'It was shown at the first start of the service, which keeps it in the file admin-token of its data folder.',
  signIn: 'Sign in',
  withLink: 'Signing in with the link …',
};
