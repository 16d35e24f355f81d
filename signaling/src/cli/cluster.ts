import {
  BedsideError,
  type ControlEventPayload,
  type GatewayId,
  type NodeCommands,
  nodeCommands,
  type ResponseOf,
  unwrap,
} from '@bedside/protocol';
import { MEMBERSHIP_KEYS, Member, REDIS_OPTIONS } from '@bedside/service';
import { Redis } from 'ioredis';
import { io } from 'socket.io-client';
import { controlHandshake } from '../nodes/handshake.ts';

const DEADLINE_MS = 5_000;

/** Who is in the cluster, by kind and id; as they last said of themselves. */
export async function members(redisUrl: string): Promise<Member[]> {
  const redis = new Redis(redisUrl, { ...REDIS_OPTIONS, lazyConnect: true });
  redis.on('error', () => {});
  try {
    await redis.connect();
    const stored = await redis.hvals(MEMBERSHIP_KEYS[0]);
    return stored
      .flatMap((json) => {
        const member = Member.safeParse(JSON.parse(json));
        return member.success && member.data.state !== 'left' ? [member.data] : [];
      })
      .sort((one, other) => `${one.kind} ${one.id}`.localeCompare(`${other.kind} ${other.id}`));
  } catch (cause) {
    throw new BedsideError('state-unavailable', { cause });
  } finally {
    redis.disconnect();
  }
}

/** A control link of who runs the cluster, with one node. */
export class NodeControl {
  readonly #socket: ReturnType<typeof io>;
  readonly #welcome: Promise<ControlEventPayload<'welcome'>>;

  constructor(address: string, secret: string) {
    this.#socket = io(address, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      timeout: DEADLINE_MS,
      auth: (give) => {
        void controlHandshake('bedside-cli' as GatewayId, secret).then(give, () => give({}));
      },
    });
    this.#welcome = new Promise((resolve, reject) => {
      this.#socket.once('welcome', resolve);
      this.#socket.once('connect_error', (cause: Error & { data?: { code?: string } }) => {
        const refused = cause.data?.code === 'unauthorized';
        reject(new BedsideError(refused ? 'unauthorized' : 'connection-failed', { cause }));
      });
    });
    this.#welcome.catch(() => {});
  }

  /** Has the node be emptied, or take visits again; gives how many are there now. */
  async drain(draining: boolean): Promise<ResponseOf<NodeCommands, 'drain'>> {
    await this.#welcome;
    const answer: unknown = await this.#socket
      .timeout(DEADLINE_MS)
      .emitWithAck('drain', { draining });
    return unwrap(nodeCommands.drain.response, answer) as ResponseOf<NodeCommands, 'drain'>;
  }

  close(): void {
    this.#socket.disconnect();
  }
}
