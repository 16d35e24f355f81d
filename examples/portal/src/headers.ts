/** What every answer of the portal carries. The policy allows no inline script or style and no other server than the gateway. */
export function securityHeaders(gatewayUrl: URL): Record<string, string> {
  const gateway = gatewayUrl.origin;
  const socket = gateway.replace(/^http/, 'ws');
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "font-src 'self'",
      `connect-src 'self' ${gateway} ${socket}`,
      'media-src blob: mediastream:',
      "manifest-src 'self'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      'trusted-types lit-html',
    ].join('; '),
    'Permissions-Policy': [
      ...[
        'camera',
        'microphone',
        'display-capture',
        'autoplay',
        'speaker-selection',
        'fullscreen',
        'screen-wake-lock',
      ].map((feature) => `${feature}=(self)`),
      ...['geolocation', 'payment', 'usb', 'serial', 'hid', 'midi', 'browsing-topics'].map(
        (feature) => `${feature}=()`,
      ),
    ].join(', '),
    // The address names the visit.
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  };
}
