export interface NetworkHandlers {
  networkChanged(): void;
  devicesChanged(): void;
}

/** NetworkInformation is not in the DOM types; only Chromium has it. */
interface NetworkNavigator {
  connection?: EventTarget & { type?: string };
}

/** Watches the page's network and devices; returns how to stop. Does nothing outside a browser. */
export function watchNetwork({ networkChanged, devicesChanged }: NetworkHandlers): () => void {
  if (typeof window === 'undefined') return () => {};
  const watching = new AbortController();
  const { signal } = watching;
  window.addEventListener('online', networkChanged, { signal });
  const { connection } = navigator as NetworkNavigator;
  let type = connection?.type;
  connection?.addEventListener?.(
    'change',
    () => {
      // It also tells every new estimate of rate and delay; without a type there is nothing else to tell.
      if (connection.type === type) return;
      type = connection.type;
      networkChanged();
    },
    { signal },
  );
  (navigator.mediaDevices as MediaDevices | undefined)?.addEventListener(
    'devicechange',
    devicesChanged,
    { signal },
  );
  return () => watching.abort();
}
