import { replaceEqualDeep } from '@tanstack/react-query';

/** One request after the other; what is asked for again while it is under way is not sent again. */
export class OneRequest<Answer> {
  private underWay: { readonly asked: unknown; readonly answer: Promise<Answer> } | undefined;

  /** @param asked what is asked for, in plain values; a file or a function is the same only if it is that very one */
  ask(asked: unknown, send: () => Promise<Answer>): Promise<Answer> {
    const before = this.underWay;
    if (before && isEqual(before.asked, asked)) return before.answer;
    const sent = before ? before.answer.then(send, send) : send();
    const underWay = {
      asked,
      answer: sent.finally(() => {
        if (this.underWay === underWay) this.underWay = undefined;
      }),
    };
    this.underWay = underWay;
    return underWay.answer;
  }
}

/** The library keeps the first of two equal values. */
const isEqual = (one: unknown, other: unknown): boolean => replaceEqualDeep(one, other) === one;
