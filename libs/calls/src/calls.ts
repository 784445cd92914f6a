/** What the other side replies to each call, in the order of the calls. */
export type Reply<Value, Failure = string> = { value: Value } | { error: Failure };

interface Waiting<Value> {
  resolve(value: Value): void;
  reject(error: Error): void;
}

/** The calling side. Once the other side has ended, pending calls are rejected, and so are all later ones. */
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

  /** @param send sends the question */
  make(send: () => void): Promise<Value> {
    if (this.reason) return Promise.reject(this.reason);
    return new Promise((resolve, reject) => {
      send();
      this.waiting.push({ resolve, reject });
    });
  }

  settle(reply: Reply<Value, Failure>): void {
    const first = this.waiting.shift();
    // A reply sent just before the end has no waiting call any more.
    if ('error' in reply) first?.reject(this.errorOf(reply.error));
    else first?.resolve(reply.value);
  }

  end(reason: Error): void {
    this.reason ??= reason;
    for (const { reject } of this.waiting.splice(0)) reject(this.reason);
  }
}

/** The answering side: one question after another. @returns a function for questions; resolves when one is answered */
export function answerInTurn<Question, Value>(
  answer: (question: Question) => Promise<Value>,
  reply: (value: Value) => void,
  replyError: (error: Error) => void,
): (question: Question) => Promise<void> {
  let last = Promise.resolve();
  return (question) => (last = last.then(() => answer(question)).then(reply, replyError));
}
