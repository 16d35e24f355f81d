export interface NetworkHandlers {
  networkChanged(): void;
  devicesChanged(): void;
}

/** NetworkInformation is not in the DOM types; only Chromium has it. */
interface NetworkNavigator {
  connection?: EventTarget;
}

/** Watches the page's network and devices; returns how to stop. Does nothing outside a browser. */
export function watchNetwork({ networkChanged, devicesChanged }: NetworkHandlers): () => void {
  if (typeof window === 'undefined') return () => {};
  const watching = new AbortController();
  const { signal } = watching;
  window.addEventListener('online', networkChanged, { signal });
  (navigator as NetworkNavigator).connection?.addEventListener?.('change', networkChanged, {
    signal,
  });
  (navigator.mediaDevices as MediaDevices | undefined)?.addEventListener(
    'devicechange',
    devicesChanged,
    { signal },
  );
  return () => watching.abort();
}
