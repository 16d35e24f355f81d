import type { types } from 'mediasoup';
import { NotFoundError } from 'mediasoup/errors';
import { call } from '../media/call.ts';
import { KEY_FRAME_REQUEST_DELAY_MS } from '../media/transports.ts';
import type { Branch } from './branch.ts';

/** It does not leave the machine, and so needs no encryption; a full socket buffer loses packets here, too. */
const OPTIONS: types.PipeTransportOptions = {
  listenInfo: { protocol: 'udp', ip: '127.0.0.1' },
  enableRtx: true,
};

/** Two branches of a visit, joined in both directions. */
export class LocalPipe {
  readonly #ends: ReadonlyMap<Branch, types.PipeTransport>;
  readonly #deadlineMs: number;

  private constructor(ends: ReadonlyMap<Branch, types.PipeTransport>, deadlineMs: number) {
    this.#ends = ends;
    this.#deadlineMs = deadlineMs;
  }

  /** @throws BedsideError `media-unavailable` */
  static async open(a: Branch, b: Branch, deadlineMs: number): Promise<LocalPipe> {
    const opened = await Promise.allSettled(
      [a, b].map(({ router }) =>
        call(router.createPipeTransport(OPTIONS), deadlineMs, (late) => late.close()),
      ),
    );
    const transports = opened.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    try {
      const [one, other] = transports;
      if (!one || !other) throw opened.find((end) => end.status === 'rejected')?.reason;
      const connect = (end: types.PipeTransport, { tuple }: types.PipeTransport) =>
        end.connect({ ip: tuple.localAddress, port: tuple.localPort });
      await call(Promise.all([connect(one, other), connect(other, one)]), deadlineMs);
      return new LocalPipe(
        new Map([
          [a, one],
          [b, other],
        ]),
        deadlineMs,
      );
    } catch (error) {
      for (const transport of transports) transport.close();
      throw error;
    }
  }

  /**
   * Opens the producer of one branch in the other, under its id; each of the two goes with the other.
   * @returns undefined where it has closed meanwhile
   * @throws BedsideError `media-unavailable`
   */
  async carry(
    producer: types.Producer,
    from: Branch,
    to: Branch,
  ): Promise<types.Producer | undefined> {
    const [source, target] = [this.#end(from), this.#end(to)];
    const { id, kind, paused } = producer;
    const late = (one: types.Consumer | types.Producer) => one.close();
    const consuming = call(
      from.worker.opens(source.consume({ producerId: id })),
      this.#deadlineMs,
      late,
    );
    const consumer = await consuming.catch((error: unknown) => {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    });
    if (!consumer) return undefined;
    try {
      const { rtpParameters } = consumer;
      const delay = kind === 'video' ? { keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MS } : {};
      const copy = await call(
        target.produce({ id, kind, rtpParameters, paused, ...delay }),
        this.#deadlineMs,
        late,
      );
      consumer.observer.once('close', () => copy.close());
      copy.observer.once('close', () => consumer.close());
      if (!consumer.closed) return copy;
      copy.close();
      return undefined;
    } catch (error) {
      consumer.close();
      throw error;
    }
  }

  /** Idempotent; also where one worker is gone. */
  close(): void {
    for (const transport of this.#ends.values()) transport.close();
  }

  #end(branch: Branch): types.PipeTransport {
    const end = this.#ends.get(branch);
    if (!end) throw new Error('not a branch of this pipe');
    return end;
  }
}
