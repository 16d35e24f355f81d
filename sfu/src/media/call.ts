import { BedsideError } from '@bedside/protocol';
import { NotFoundError, UnsupportedError, WorkerClosedError } from 'mediasoup/errors';

/**
 * One call to a mediasoup worker, which may be hung and never answer. `onLate` gets what arrives
 * after the deadline, so that nothing is left open that nobody knows.
 * @throws BedsideError `media-unavailable` at the deadline or where the worker is gone; any other
 *   error as mediasoup threw it.
 */
export async function call<T>(
  started: Promise<T>,
  deadlineMs: number,
  onLate?: (value: T) => void,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    late.reject(new BedsideError('media-unavailable', { cause: new Error('worker deadline') }));
  }, deadlineMs);
  try {
    started.then(
      (value) => {
        if (isLate) onLate?.(value);
      },
      () => undefined,
    );
    return await Promise.race([started, late.promise]);
  } catch (error) {
    if (error instanceof WorkerClosedError) {
      throw new BedsideError('media-unavailable', { cause: error });
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What went wrong in a call whose arguments came from a browser: its codecs, its parameters, or us.
 * `field` names those parameters.
 */
export function blame(error: unknown, field: string): BedsideError {
  if (error instanceof BedsideError) return error;
  if (error instanceof UnsupportedError) {
    return new BedsideError('media-unsupported', { cause: error });
  }
  if (error instanceof NotFoundError) return new BedsideError('not-found', { cause: error });
  return new BedsideError('invalid-request', { field, cause: error });
}
