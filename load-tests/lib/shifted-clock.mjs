/**
 * Loaded before a service (`node --import`), it shifts its wall clock, and that alone, by what the file named
 * by DRILL_CLOCKS and the service's id says: milliseconds, an int64.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const POLL_MS = 20;
const { DRILL_CLOCKS: dir, BEDSIDE_GATEWAY_ID, BEDSIDE_NODE_ID } = process.env;
const id = BEDSIDE_GATEWAY_ID ?? BEDSIDE_NODE_ID;

if (dir && id) {
  const file = join(dir, id);
  let shift = 0;
  const look = () => {
    try {
      shift = Number(readFileSync(file).readBigInt64LE());
    } catch {
      // Not shifted yet.
    }
  };
  look();
  setInterval(look, POLL_MS).unref();
  const now = Date.now.bind(Date);
  Date.now = () => now() + shift;
  globalThis.Date = new Proxy(Date, {
    construct: (target, given, self) =>
      Reflect.construct(target, given.length === 0 ? [now() + shift] : given, self),
  });
}
