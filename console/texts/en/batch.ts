export const batch = {
  title: 'Batch update',
};
