/** A map of event names to listeners. */
type Listeners<Events> = { [Name in keyof Events]?: Set<Events[Name]> };

/** Typed events, synchronous, in the order of subscription. */
export class Emitter<Events extends { [Name in keyof Events]: (...args: never[]) => void }> {
  readonly #listeners: Listeners<Events> = {};

  on<Name extends keyof Events>(name: Name, listener: Events[Name]): this {
    this.#listeners[name] ??= new Set();
    this.#listeners[name].add(listener);
    return this;
  }

  off<Name extends keyof Events>(name: Name, listener: Events[Name]): this {
    this.#listeners[name]?.delete(listener);
    return this;
  }

  /** A listener that throws hinders neither the others nor the visit; its error is reported as uncaught. */
  protected emit<Name extends keyof Events>(name: Name, ...args: Parameters<Events[Name]>): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
