/**
 * A key for what one press of a button may create: pressing again after a lost answer creates nothing twice. Take a new
 * one when what is asked for changes.
 */
export function newIdempotencyKey(): string {
  // randomUUID is there for https and localhost only.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
