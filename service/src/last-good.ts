/**
 * What is read anew at each use, since it may have changed. Where that fails (whoever changes it is not
 * done yet) `onUnusable` is called, and what was read before serves on.
 * @throws what `read` throws the first time
 */
export function lastGood<Value>(
  read: () => Value,
  onUnusable: (error: unknown) => void,
): () => Value {
  let value = read();
  return () => {
    try {
      value = read();
    } catch (error) {
      onUnusable(error);
    }
    return value;
  };
}
