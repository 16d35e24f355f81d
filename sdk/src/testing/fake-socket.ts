import type { SocketOptions, SocketPort } from '../connection.ts';

type Answer = (ack: unknown) => void;

/** A socket whose server is the test. */
export class FakeSocket implements SocketPort {
  readonly sent: { name: string; payload: Record<string, unknown>; answer: Answer }[] = [];
  readonly options: SocketOptions;
  disconnected = false;
  readonly #listeners = new Map<string, (...args: unknown[]) => void>();

  constructor(options: SocketOptions) {
    this.options = options;
  }

  on(name: string, listener: (...args: never[]) => void): void {
    this.#listeners.set(name, listener as (...args: unknown[]) => void);
  }

  emit(name: string, payload: unknown, answer: unknown): void {
    this.sent.push({ name, payload: payload as Record<string, unknown>, answer: answer as Answer });
  }

  removeAllListeners(): void {
    this.#listeners.clear();
  }

  disconnect(): void {
    this.disconnected = true;
  }

  receive(name: string, ...args: unknown[]): void {
    this.#listeners.get(name)?.(...args);
  }
}
