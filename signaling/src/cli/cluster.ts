import {
  BedsideError,
  type ControlEventPayload,
  type GatewayId,
  type NodeCommands,
  nodeCommands,
  type ResponseOf,
  unwrap,
} from '@bedside/protocol';
import { connectCommands, MEMBERSHIP_KEYS, Member, type RedisSettings } from '@bedside/service';
import { pino } from 'pino';
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import type { ControlCredentials } from '../nodes/handshake.ts';

const DEADLINE_MS = 5_000;
const SILENT = pino({ level: 'silent' });

/** Who is in the cluster, by kind and id; as they last said of themselves. */
export async function members(settings: RedisSettings): Promise<Member[]> {
  const connection = connectCommands({ settings, log: SILENT });
  try {
    await connection.open();
    const stored = await connection.client.hvals(MEMBERSHIP_KEYS[0]);
    return stored
      .flatMap((json) => {
        const member = Member.safeParse(JSON.parse(json));
        return member.success && member.data.state !== 'left' ? [member.data] : [];
      })
      .sort((one, other) => `${one.kind} ${one.id}`.localeCompare(`${other.kind} ${other.id}`));
  } catch (thrown) {
    throw new BedsideError('state-unavailable', { cause: connection.error ?? thrown });
  } finally {
    connection.close();
  }
}

/** A control link of who runs the cluster, with one node. */
export class NodeControl {
  readonly #socket: ReturnType<typeof io>;
  readonly #welcome: Promise<ControlEventPayload<'welcome'>>;

  /** @throws BedsideError `forbidden` where the credentials are not for that address */
  constructor(address: string, credentials: ControlCredentials) {
    if (!credentials.areFor(address)) throw new BedsideError('forbidden');
    const options = credentials.withTls<Partial<ManagerOptions & SocketOptions>>({
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      timeout: DEADLINE_MS,
      auth: (give) => {
        void credentials.handshake('bedside-cli' as GatewayId, address).then(give, () => give({}));
      },
    });
    this.#socket = io(address, options);
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
