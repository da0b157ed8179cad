import { Checkbox, Form, InputNumber } from 'antd';
import type { PolicyRequestBody } from '../../api/requests.js';
import { DEFAULT_POLICY } from '../../domain/policy.js';
import { useTexts } from '../texts/language.js';

/** Each limit in the unit that people think of it in. */
const LIMITS = [
  { field: 'offlineTimeoutMs', unit: 'hours' },
  { field: 'responseTimeoutMs', unit: 'minutes' },
  { field: 'stallTimeoutMs', unit: 'minutes' },
  { field: 'confirmationTimeoutMs', unit: 'minutes' },
  { field: 'offlineMidUpdateMs', unit: 'hours' },
  { field: 'overallTimeoutMs', unit: 'hours' },
  { field: 'soakMs', unit: 'minutes' },
] as const;
const UNIT_MS = { minutes: 60_000, hours: 3_600_000 } as const;

/** The policy of a task, its time limits in units for people; empty ones keep their defaults. */
export interface PolicyInput extends Partial<Record<(typeof LIMITS)[number]['field'], number | null>> {
  readonly allowDowngrade?: boolean;
}

/** What the fields set; undefined when they set nothing. */
export function policyOf(input: PolicyInput): PolicyRequestBody | undefined {
  const limits = LIMITS.flatMap(({ field, unit }) => {
    const value = input[field];
    return value === undefined || value === null ? [] : [[field, Math.round(value * UNIT_MS[unit])] as const];
  });
  const set: PolicyRequestBody = {
    ...Object.fromEntries(limits),
    ...(input.allowDowngrade === true && { allowDowngrade: true }),
  };
  return Object.keys(set).length === 0 ? undefined : set;
}

export function PolicyFields({
  kind,
  value,
  onChange,
}: {
  kind: 'verification' | 'batch';
  value: PolicyInput;
  onChange: (value: PolicyInput) => void;
}) {
  const { policy: texts } = useTexts();
  return (
    <>
      <div style={{ display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(220px, 1fr))', gap: '0 16px' }}>
        {LIMITS.map(({ field, unit }) => (
          <Form.Item key={field} label={texts.fields[field]} htmlFor={`policy-${field}`} layout="vertical">
            <InputNumber
              id={`policy-${field}`}
              min={0}
              style={{ width: '100%' }}
              suffix={texts[unit]}
              placeholder={String(DEFAULT_POLICY[kind][field] / UNIT_MS[unit])}
              value={value[field] ?? null}
              onChange={(changed) => onChange({ ...value, [field]: changed })}
            />
          </Form.Item>
        ))}
      </div>
      <Checkbox
        checked={value.allowDowngrade ?? false}
        onChange={(event) => onChange({ ...value, allowDowngrade: event.target.checked })}
      >
        {texts.allowDowngrade}
      </Checkbox>
    </>
  );
}
