export const taskDetails = {
  title: 'Task details',
};
