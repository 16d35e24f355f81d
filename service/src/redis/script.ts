import { createHash } from 'node:crypto';

/** A Lua script, known to Redis by its hash once it has run there. */
export interface Script {
  source: string;
  sha1: string;
}

export const script = (source: string): Script => ({
  source,
  sha1: createHash('sha1').update(source).digest('hex'),
});
