import { Role } from '@bedside/protocol';
import { describe, expect, it } from 'vitest';
import { maySend } from './may-send.ts';

const sources = ['camera', 'microphone'] as const;

describe('maySend()', () => {
  it('lets everybody but the observer send, as the gateway does', () => {
    for (const source of sources)
      expect(Role.options.filter((role) => !maySend({ role }, source))).toEqual(['observer']);
  });

  it('takes those of the token before those of the role', () => {
    expect(maySend({ role: 'observer', grants: ['publish-audio'] }, 'microphone')).toBe(true);
    expect(maySend({ role: 'observer', grants: ['publish-audio'] }, 'camera')).toBe(false);
    expect(maySend({ role: 'patient', grants: [] }, 'microphone')).toBe(false);
  });

  it('allows where no token could be read: connecting will say why', () => {
    for (const source of sources) expect(maySend(undefined, source)).toBe(true);
  });
});
