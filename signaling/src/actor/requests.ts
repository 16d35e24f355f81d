import { LIMITS, toBedsideError } from '@bedside/protocol';

/** The latest answers of one session, so that a repeated request is carried out once and answered alike. */
export class RequestMemory {
  /** Bounded by what a socket may have under way. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #answers = new Map<string, Promise<unknown>>();

  /**
   * The answer of the first call with this key. What fails in a retryable way is forgotten, and so is
   * what `keep` excludes once it is answered.
   */
  once<Answer>(key: string, keep: boolean, run: () => Promise<Answer>): Promise<Answer> {
    // Only the same command puts an answer under its key, so it has that command's type.
    const known = (this.#running.get(key) ?? this.#answers.get(key)) as Promise<Answer> | undefined;
    if (known) return known;
    const answer = run();
    this.#running.set(key, answer);
    const answered = (remember: boolean) => {
      this.#running.delete(key);
      if (remember) this.#remember(key, answer);
    };
    answer.then(
      () => answered(keep),
      (error: unknown) => answered(!toBedsideError(error).retryable),
    );
    return answer;
  }

  #remember(key: string, answer: Promise<unknown>): void {
    this.#answers.set(key, answer);
    const oldest = this.#answers.keys().next();
    if (this.#answers.size > LIMITS.rememberedRequests && !oldest.done)
      this.#answers.delete(oldest.value);
  }
}
