import type { ProducerId } from '@bedside/protocol';
import type { Sender } from './path.ts';

/** One track over two paths. The visit goes by the first; what fails on the second is made good once that is the path. */
export class SenderPair implements Sender {
  readonly first: Sender;
  readonly second: Sender;

  constructor(first: Sender, second: Sender) {
    this.first = first;
    this.second = second;
  }

  get published(): Promise<ProducerId> {
    return this.first.published;
  }

  get producerId(): ProducerId | undefined {
    return this.first.producerId;
  }

  replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    this.second.replaceTrack(track).catch(() => {});
    return this.first.replaceTrack(track);
  }

  setPaused(paused: boolean): Promise<void> {
    this.second.setPaused(paused).catch(() => {});
    return this.first.setPaused(paused);
  }

  async favourMotion(motion: boolean): Promise<void> {
    await Promise.all([this.first.favourMotion(motion), this.second.favourMotion(motion)]);
  }

  close(): void {
    this.first.close();
    this.second.close();
  }
}
