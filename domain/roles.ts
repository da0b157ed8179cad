/** What an operator's token lets do. */
export const Role = {
  VIEWER: 'viewer', // sees everything, changes nothing
  OPERATOR: 'operator', // firmware, devices and tasks
  ADMIN: 'admin', // tokens, audit log and repairs too
} as const;
export type Role = (typeof Role)[keyof typeof Role];
