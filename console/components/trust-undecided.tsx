import { Alert } from 'antd';
import type { ProductAnswer } from '../../api/schemas.js';
import { useTexts } from '../texts/language.js';
import { Status } from './status.js';

type Trust = Pick<ProductAnswer, 'trustUndecided'>;

interface TrustUndecidedProps {
  /** Undefined while it is loaded. */
  readonly product: Trust | undefined;
}

/** Marks the firmware of a product whose records were rebuilt, until an operator decides which keys the product trusts. */
export function TrustUndecidedMark({ product }: TrustUndecidedProps) {
  const { words } = useTexts();
  return product?.trustUndecided ? <Status look="failed">{words.trustUndecided}</Status> : null;
}

/** What the mark means, and what to do: the words of the refusal that a task or an upload would meet. */
export function TrustUndecidedAlert({ product }: TrustUndecidedProps) {
  const { problems } = useTexts();
  if (!product?.trustUndecided) return null;
  const { title, remedy } = problems.byCode['trust-undecided'];
  return <Alert type="warning" showIcon role="alert" style={{ marginBottom: 16 }} title={title} description={remedy} />;
}
