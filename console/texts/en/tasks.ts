export const tasks = {
  title: 'Update records',
};
