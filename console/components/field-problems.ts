import type { FormInstance } from 'antd';
import { ApiError } from '../../api/client-core.js';

/**
 * Shows a refusal's field problems at the fields of a form.
 *
 * @param fields the form's names by the API's, where they differ
 * @returns the fields of the API that are shown now, for `ProblemAlert`
 */
export function showFieldProblems(
  form: FormInstance,
  error: unknown,
  fields: Readonly<Record<string, string>> = {},
): string[] {
  if (!(error instanceof ApiError)) return [];
  const shown: string[] = [];
  for (const { field, message } of error.errors) {
    const name = fields[field] ?? field;
    if (form.getFieldInstance(name) === undefined && !(name in (form.getFieldsValue() as object))) continue;
    form.setFields([{ name, errors: [message] }]);
    shown.push(field);
  }
  return shown;
}
