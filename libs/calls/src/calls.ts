/** What the other side says to each call, in the order of the calls. */
export type Reply<Value, Failure = string> = { value: Value } | { error: Failure };

interface Waiting<Value> {
  resolve(value: Value): void;
  reject(error: Error): void;
}

/** The asking side. Once the other side has ended, what waits is rejected, and so is whatever is asked afterwards. */
export class Calls<Value, Failure = string> {
  private readonly waiting: Waiting<Value>[] = [];
  private reason?: Error;

  constructor(private readonly errorOf: (failure: Failure) => Error) {}

  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Why nothing is answered any more. */
  get endReason(): Error | undefined {
    return this.reason;
  }

  /** @param send hands the question over */
  make(send: () => void): Promise<Value> {
    if (this.reason) return Promise.reject(this.reason);
    return new Promise((resolve, reject) => {
      send();
      this.waiting.push({ resolve, reject });
    });
  }

  settle(reply: Reply<Value, Failure>): void {
    const first = this.waiting.shift();
    // Nobody waits any more for what was said just before the end.
    if ('error' in reply) first?.reject(this.errorOf(reply.error));
    else first?.resolve(reply.value);
  }

  end(reason: Error): void {
    this.reason ??= reason;
    for (const { reject } of this.waiting.splice(0)) reject(this.reason);
  }
}

/** The answering side: one question after another. @returns for each question; resolves when it is answered */
export function answerInTurn<Question, Value>(
  answer: (question: Question) => Promise<Value>,
  reply: (value: Value) => void,
  replyError: (error: Error) => void,
): (question: Question) => Promise<void> {
  let last = Promise.resolve();
  return (question) => (last = last.then(() => answer(question)).then(reply, replyError));
}
