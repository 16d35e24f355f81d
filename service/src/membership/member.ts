import * as z from 'zod/mini';

const name = z.string().check(z.minLength(1), z.maxLength(256));
const url = name.check(z.refine((text) => URL.canParse(text)));

/**
 * A process of the cluster, as it says of itself. Fields that a version does not know are passed over,
 * so that two versions can be in one cluster.
 */
export const Member = z.object({
  kind: z.enum(['gateway', 'node']),
  /** The same over restarts. */
  id: name,
  /** New at every start of the process. */
  boot: name,
  /** Of the software. */
  version: name,
  region: name,
  /** Whether new visits should go there: it starts, it takes them, it is being emptied, or it went in order. */
  state: z.enum(['starting', 'ready', 'draining', 'left']),
  /** Where the others reach it: a node's control link (ws:, wss:), a gateway's health (http:). */
  address: url,
});
export type Member = z.infer<typeof Member>;

/** Who is there, by `nameOf`. */
export type View = ReadonlyMap<string, Member>;

export const nameOf = ({ kind, id }: Pick<Member, 'kind' | 'id'>): string => `${kind}:${id}`;
