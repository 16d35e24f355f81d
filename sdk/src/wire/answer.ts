import { BedsideError } from '@bedside/protocol';
import { parse, type Shape } from './shape.ts';
import { ackShape } from './shapes.ts';

/**
 * The data of an acknowledgement.
 * @throws BedsideError the error it carries, or `invalid-request` where it is no acknowledgement.
 */
export function unwrap<Data>(shape: Shape<Data>, answer: unknown): Data {
  const envelope = parse(ackShape, answer);
  if (!envelope.ok) throw BedsideError.fromBody(envelope.error);
  return parse(shape, envelope.data);
}
