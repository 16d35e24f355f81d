import { type End, reunite, separate } from '../../scripts/lib/namespaces.mjs';
import type { TcpProxy } from '../lib/tcp-proxy.ts';

/** What a drill cuts: nothing gets through any more, and nobody is told. */
export interface Line {
  cut(): Promise<void> | void;
  heal(): Promise<void> | void;
}

/** Ways that go by this process; cut for these clients, or for all. */
export const lineOfWays = (
  ways: readonly TcpProxy[],
  concerns?: (clientPort: number) => boolean,
): Line => ({
  cut() {
    for (const way of ways) way.partition(concerns);
  },
  heal() {
    for (const way of ways) way.heal();
  },
});

/** From one to the others in a network. */
export const lineInNetwork = (one: End, others: readonly End[]): Line => ({
  async cut() {
    await Promise.all(others.map((other) => separate(one, other)));
  },
  async heal() {
    await Promise.all(others.map((other) => reunite(one, other)));
  },
});
