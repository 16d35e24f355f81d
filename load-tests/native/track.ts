import { randomInt } from 'node:crypto';

/** Where the number is, in the payload of every packet: behind what a node reads of VP8. */
const NUMBER_AT = 4;

/**
 * What is sent of one source, over all transports that it lives on: at a steady pace, each packet with a
 * number of its own. What nobody could be sent has its number, too: it was said.
 */
export class Track {
  readonly ssrc = randomInt(1, 0xffff_ffff);
  payloadType = 0;
  sequenceNumber = randomInt(0x1_0000);
  timestamp = randomInt(0xffff_ffff);
  readonly #kind: 'audio' | 'video';
  readonly #everyMs: number;
  #number = 0;
  #dueAt = 0;

  /** `everyMs`: between two packets. */
  constructor(kind: 'audio' | 'video', everyMs: number) {
    this.#kind = kind;
    this.#everyMs = everyMs;
  }

  /** Whether the next packet is due. A late look does not put the next ones off, but what was missed is not made up for. */
  isDue(now: number): boolean {
    if (now < this.#dueAt) return false;
    this.#dueAt = Math.max(this.#dueAt + this.#everyMs, now - this.#everyMs);
    this.#number += 1;
    this.sequenceNumber = (this.sequenceNumber + 1) & 0xffff;
    this.timestamp = (this.timestamp + this.#everyMs * (this.#kind === 'audio' ? 48 : 90)) >>> 0;
    return true;
  }

  /**
   * Of the present packet. Of a picture it is VP8: descriptor (start of the first partition), then the
   * frame's first byte, whose lowest bit is 0 in a key frame.
   */
  payload(isKeyFrame: boolean): Buffer {
    const payload = Buffer.alloc(this.#kind === 'audio' ? 40 : 200, 7);
    if (this.#kind === 'video') {
      payload[0] = 0x10;
      payload[1] = isKeyFrame ? 0 : 1;
    }
    payload.writeUInt32BE(this.#number, NUMBER_AT);
    return payload;
  }
}

/** The number of a packet. */
export const readNumber = (payload: Buffer): number => payload.readUInt32BE(NUMBER_AT);
