import {
  CLINIC_NAMESPACE,
  type ClinicEventPayload,
  clinicCommands,
  clinicEvents,
  compareEntries,
  parse,
  type QueueEntry,
  SUPPORTED_VERSIONS,
  unwrap,
  type VisitId,
} from '@bedside/protocol';
import { io, type Socket } from 'socket.io-client';

/** A page that shows a clinic's queue. */
export class QueueWatcher {
  readonly #socket: Socket;
  readonly #entries = new Map<VisitId, QueueEntry>();
  readonly #wake = new Set<() => void>();
  stale = false;

  /** @throws Error by the code of the gateway's refusal */
  static async connect(url: string, clinic: string, token: string): Promise<QueueWatcher> {
    const socket = io(url + CLINIC_NAMESPACE, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      query: { clinic },
      auth: { token, versions: SUPPORTED_VERSIONS },
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('welcome', () => resolve());
      socket.once('connect_error', reject);
    });
    const watcher = new QueueWatcher(socket);
    await watcher.watch();
    return watcher;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('queue', (payload: unknown) =>
      this.#apply(parse(clinicEvents.queue.payload, payload)),
    );
  }

  /** What there is now, in order. */
  get entries(): QueueEntry[] {
    return [...this.#entries.values()].toSorted(compareEntries);
  }

  async watch(): Promise<void> {
    const { response } = clinicCommands['watch-queue'];
    const answer = await this.#socket.emitWithAck('watch-queue', { requestId: 'watch' });
    this.#entries.clear();
    this.#apply({ ...unwrap(response, answer), removed: [] });
  }

  /** The entry of this visit, once it is there and fits. */
  async sees(
    visit: string,
    fits: (entry: QueueEntry) => boolean = () => true,
  ): Promise<QueueEntry> {
    for (;;) {
      const entry = this.#entries.get(visit as VisitId);
      if (entry && fits(entry)) return entry;
      await this.#news();
    }
  }

  /** Resolves once the visit is not in the queue. */
  async misses(visit: string): Promise<void> {
    while (this.#entries.has(visit as VisitId)) await this.#news();
  }

  /** Resolves once what is shown is, or is not, the last that was known. */
  async becomes({ stale }: { stale: boolean }): Promise<void> {
    while (this.stale !== stale) await this.#news();
  }

  close(): void {
    this.#socket.disconnect();
  }

  #apply({ entries, removed, stale }: ClinicEventPayload<'queue'>): void {
    for (const entry of entries) this.#entries.set(entry.visit, entry);
    for (const visit of removed) this.#entries.delete(visit);
    this.stale = stale;
    const wake = [...this.#wake];
    this.#wake.clear();
    for (const call of wake) call();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#wake.add(resolve));
  }
}
