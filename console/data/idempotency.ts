import { useState } from 'react';

/**
 * A key for what one press of a button may create: pressing again after a lost answer creates nothing twice. Take a new
 * one when what is asked for changes.
 */
export function newIdempotencyKey(): string {
  // randomUUID is there for https and localhost only.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The key of a dialog's request, and what makes a setter of what is asked for take a new one.
 *
 * @param reset what the request before has come to is gone then
 */
export function useIdempotencyKey(reset: () => void) {
  const [key, setKey] = useState(newIdempotencyKey);
  const changed =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      set(value);
      setKey(newIdempotencyKey());
      reset();
    };
  return [key, changed] as const;
}
