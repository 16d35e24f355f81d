import { describe, expect, it } from 'vitest';
import { securityHeaders } from './headers.ts';

const headers = securityHeaders(new URL('https://visits.example.org:7000/path'));
const policy = new Map(
  (headers['Content-Security-Policy'] ?? '').split('; ').map((directive) => {
    const [name = '', ...sources] = directive.split(' ');
    return [name, sources] as const;
  }),
);

describe('securityHeaders()', () => {
  it('lets a page connect to itself and the gateway, and nowhere else', () => {
    expect(policy.get('connect-src')).toEqual([
      "'self'",
      'https://visits.example.org:7000',
      'wss://visits.example.org:7000',
    ]);
    expect(securityHeaders(new URL('http://localhost:7000'))['Content-Security-Policy']).toContain(
      'ws://localhost:7000;',
    );
  });

  it('allows nothing that is not named, nothing inline and nothing evaluated', () => {
    expect(policy.get('default-src')).toEqual(["'none'"]);
    for (const sources of policy.values()) {
      expect(sources).not.toContain("'unsafe-inline'");
      expect(sources).not.toContain("'unsafe-eval'");
      expect(sources).not.toContain('*');
    }
    expect(policy.get('require-trusted-types-for')).toEqual(["'script'"]);
  });

  it('can not be framed, and sends no address on: it names the visit', () => {
    expect(policy.get('frame-ancestors')).toEqual(["'none'"]);
    expect(headers['Referrer-Policy']).toBe('no-referrer');
  });

  it('keeps camera, microphone and screen for the page itself', () => {
    for (const feature of ['camera', 'microphone', 'display-capture', 'autoplay'])
      expect(headers['Permissions-Policy']).toContain(`${feature}=(self)`);
    expect(headers['Permissions-Policy']).toContain('geolocation=()');
    // Browsers complain in the console of features that they do not know.
    expect(headers['Permissions-Policy']).not.toContain('bluetooth');
  });
});
