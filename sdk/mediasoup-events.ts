type Listener = (...args: unknown[]) => void;
interface Entry {
  listener: Listener;
  once: boolean;
  called: boolean;
}

/**
 * What mediasoup-client uses of the EventEmitter that it is built on. The build puts it in that one's
 * place: that one is Node's, in full.
 */
export class EnhancedEventEmitter {
  readonly #entries = new Map<string, readonly Entry[]>();

  on(name: string, listener: Listener): this {
    return this.#add(name, { listener, once: false, called: false });
  }

  once(name: string, listener: Listener): this {
    return this.#add(name, { listener, once: true, called: false });
  }

  off(name: string, listener: Listener): this {
    return this.#remove(
      name,
      this.#of(name).findLast((entry) => entry.listener === listener),
    );
  }

  /** Calls those that listen as it begins. Whether there were any. What one throws is thrown. */
  emit(name: string, ...args: unknown[]): boolean {
    const entries = this.#of(name);
    for (const entry of entries) {
      if (entry.once) {
        if (entry.called) continue;
        entry.called = true;
        this.#remove(name, entry);
      }
      entry.listener.apply(this, args);
    }
    return entries.length > 0;
  }

  /** As `emit`; what a listener throws goes to those of `listenererror`. */
  safeEmit(name: string, ...args: unknown[]): boolean {
    try {
      return this.emit(name, ...args);
    } catch (error) {
      try {
        this.emit('listenererror', name, error);
      } catch {
        // It has been told.
      }
      return this.listenerCount(name) > 0;
    }
  }

  listenerCount(name: string): number {
    return this.#of(name).length;
  }

  /** Nobody listens any more. */
  close(): void {
    this.#entries.clear();
  }

  #of(name: string): readonly Entry[] {
    return this.#entries.get(name) ?? [];
  }

  #add(name: string, entry: Entry): this {
    this.#entries.set(name, [...this.#of(name), entry]);
    return this;
  }

  #remove(name: string, entry: Entry | undefined): this {
    this.#entries.set(
      name,
      this.#of(name).filter((one) => one !== entry),
    );
    return this;
  }
}
