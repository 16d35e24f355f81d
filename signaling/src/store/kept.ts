import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { LIMITS, type VisitKey } from '@bedside/protocol';
import * as z from 'zod/mini';
import { type LedgerEvent, Said, Visit } from '../visit/state.ts';
import { pack, unpack } from './packing.ts';
import type { Lease } from './store.ts';

/** What Redis lacks of a visit, and what it may lose yet: the visit as it is, and what led to it. */
export interface Unwritten {
  visit: Visit;
  /** Oldest first, by the number of the commit that has them or will. */
  batches: readonly {
    number: number;
    events: readonly LedgerEvent[];
    messages: readonly Said[];
  }[];
}

/** The same under the epoch of its owner. */
export interface Kept extends Unwritten {
  epoch: number;
}

const KeptText = z.object({
  epoch: z.int(),
  visit: Visit,
  batches: z.array(
    z.object({
      number: z.int(),
      events: z.array(z.custom<LedgerEvent>()),
      messages: z.array(Said),
    }),
  ),
});

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Shuts what a node is to hold of a visit against the node: only gateways have the secret. */
export class Seal {
  readonly #key: Uint8Array;

  constructor(secret: string) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'bedside kept changes', 32));
  }

  /** Base64. */
  close(visit: VisitKey, kept: Kept): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv).setAAD(Buffer.from(visit));
    const shut = [cipher.update(pack(JSON.stringify(kept))), cipher.final()];
    return Buffer.concat([iv, cipher.getAuthTag(), ...shut]).toString('base64');
  }

  /** @throws Error where it is another visit's, of another secret, or of a version that this one can't read */
  open(visit: VisitKey, text: string): Kept {
    const bytes = Buffer.from(text, 'base64');
    const [iv, tag, shut] = [
      bytes.subarray(0, IV_BYTES),
      bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES),
      bytes.subarray(IV_BYTES + TAG_BYTES),
    ];
    const decipher = createDecipheriv(ALGORITHM, this.#key, iv, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(visit))
      .setAuthTag(tag);
    const packed = Buffer.concat([decipher.update(shut), decipher.final()]);
    return KeptText.parse(JSON.parse(unpack(packed)));
  }
}

/** The lease with what was kept and Redis lacks; as it is where Redis has all of it. */
export function restored(lease: Lease, kept: Kept | undefined): Lease {
  if (!kept) return lease;
  const { epoch, number } = lease.inherited ?? { epoch: 0, number: 0 };
  const lacking = kept.batches.filter(
    (batch) => kept.epoch > epoch || (kept.epoch === epoch && batch.number > number),
  );
  if (lacking.length === 0) return lease;
  const messages = lacking.flatMap((batch) => batch.messages);
  return {
    ...lease,
    visit: kept.visit,
    messages: [...lease.messages, ...messages].slice(-LIMITS.messagesPerVisit),
    unwritten: { events: lacking.flatMap((batch) => batch.events), messages },
  };
}
