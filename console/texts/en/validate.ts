export const validate = {
  title: 'Validate firmware',
};
