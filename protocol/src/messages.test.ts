import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type * as z from 'zod/mini';
import { CLIENT_COMMON_ERRORS, ClientHandshake, clientCommands, clientEvents } from './client.ts';
import { KIND_OF_SOURCE } from './constants.ts';
import { AckEnvelope, type CommandMap, ErrorBody, type EventMap, parse } from './contract.ts';
import {
  CONTROL_COMMON_ERRORS,
  ControlHandshake,
  controlCommands,
  controlEvents,
} from './control.ts';
import { BedsideError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { MediaSource } from './media.ts';
import { CreateVisit, Problem, VisitResource, Wait } from './rest.ts';
import {
  arbitraryOf,
  boundsOf,
  type JsonSchema,
  jsonSchemaOf,
  poisoned,
  sampleOf,
  unboundedIn,
} from './testing.ts';
import { TokenClaims } from './token.ts';

/** Every message of every boundary, by a name that says which. */
const messages: [name: string, schema: z.ZodMiniType][] = [
  ['client handshake', ClientHandshake],
  ...ofCommands('client', clientCommands),
  ...ofEvents('client', clientEvents),
  ['control handshake', ControlHandshake],
  ...ofCommands('control', controlCommands),
  ...ofEvents('control', controlEvents),
  ['error', ErrorBody],
  ['token', TokenClaims],
  ['create visit', CreateVisit],
  ['wait', Wait],
  ['visit resource', VisitResource],
  ['problem', Problem],
];

/** What people write by hand, for one version: the others are between programs of several. */
const strict = new Set<z.ZodMiniType>([CreateVisit, Wait]);

function ofCommands(side: string, commands: CommandMap): typeof messages {
  return Object.entries(commands).flatMap(([name, { request, response }]) => [
    [`${side} ${name} request`, request] as const,
    [`${side} ${name} response`, response] as const,
  ]) as typeof messages;
}

function ofEvents(side: string, events: EventMap): typeof messages {
  return Object.entries(events).map(([name, { payload }]) => [`${side} ${name}`, payload]);
}

/** Fields that a sender must give: not those with a default. */
function neededIn({ required = [], properties = {} }: JsonSchema): string[] {
  return required.filter((field) => properties[field]?.default === undefined);
}

/** As it arrives: through JSON. */
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const refusalOf = (schema: z.ZodMiniType, value: unknown): unknown => {
  try {
    return { accepted: parse(schema, value) };
  } catch (error) {
    return error;
  }
};

describe.each(messages)('%s', (_name, schema) => {
  const shape = jsonSchemaOf(schema);

  test('takes every message that fits it, unchanged', () => {
    fc.assert(
      fc.property(arbitraryOf(shape), (message) => {
        const arrived = overTheWire(message);
        expect(parse(schema, arrived)).toEqual(arrived);
      }),
      { numRuns: 30 },
    );
  });

  test('takes what keeps its bounds to the last', () => {
    for (const { path, message } of boundsOf(shape, 'at'))
      expect(refusalOf(schema, message), path).toHaveProperty('accepted');
  });

  test('refuses what is over a bound, and names the field', () => {
    for (const { path, message } of boundsOf(shape, 'over')) {
      const refusal = refusalOf(schema, message);
      expect(refusal, path).toBeInstanceOf(BedsideError);
      const { code, field = '' } = refusal as BedsideError;
      expect(code, path).toBe('invalid-request');
      // Of a union the field as a whole is named: which of its forms was meant is not known.
      expect(`${path}.`.startsWith(`${field}.`) || (field === '(root)' && !path), path).toBe(true);
    }
  });

  test('bounds every text, list and map', () => {
    expect(unboundedIn(shape)).toEqual([]);
  });

  test.runIf(strict.has(schema))('refuses what it does not name, and says its name', () => {
    fc.assert(
      fc.property(arbitraryOf(shape), (message) => {
        const arrived = overTheWire({ ...(message as object), stranger: 'x' });
        expect(refusalOf(schema, arrived)).toMatchObject({
          code: 'invalid-request',
          field: 'stranger',
        });
        expect(refusalOf(schema, overTheWire(message))).not.toBeInstanceOf(BedsideError);
      }),
      { numRuns: 10 },
    );
  });

  test.skipIf(strict.has(schema))('drops what it does not name, a prototype too', () => {
    fc.assert(
      fc.property(arbitraryOf(shape), (message) => {
        const arrived = overTheWire(poisoned({ ...(message as object), stranger: 'x' }));
        const taken = parse(schema, arrived) as Record<string, unknown>;
        expect(taken).toEqual(parse(schema, overTheWire(message)));
        expect(JSON.stringify(taken)).not.toContain('polluted');
        expect(Object.getPrototypeOf(taken)).toBe(Object.prototype);
      }),
      { numRuns: 10 },
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('answers anything else with one error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const outcome = refusalOf(schema, value);
        if (!(outcome instanceof BedsideError)) expect(outcome).toHaveProperty('accepted');
        else expect(outcome).toMatchObject({ code: 'invalid-request', kind: 'protocol' });
      }),
      { numRuns: 50 },
    );
  });
});

test.each(
  messages.flatMap(([name, schema]) =>
    neededIn(jsonSchemaOf(schema)).map((field) => [name, field, schema] as const),
  ),
)('%s without %s is refused by that name', (_name, field, schema) => {
  const { [field]: _, ...rest } = sampleOf(jsonSchemaOf(schema)) as Record<string, unknown>;
  expect(refusalOf(schema, rest)).toMatchObject({ code: 'invalid-request', field });
});

test('an acknowledgement carries anything as data and nothing unbounded as error', () => {
  const [good, bad] = jsonSchemaOf(AckEnvelope).oneOf ?? [];
  expect(unboundedIn(good ?? {})).toEqual(['data']);
  expect(unboundedIn(bad ?? {})).toEqual([]);
});

describe('declarations', () => {
  test.each([
    ['client', clientCommands, CLIENT_COMMON_ERRORS],
    ['control', controlCommands, CONTROL_COMMON_ERRORS],
  ] as const)(
    '%s commands name their own errors once, the common ones never',
    (_s, commands, common) => {
      for (const [name, { errors }] of Object.entries(commands as CommandMap)) {
        expect(new Set(errors).size, name).toBe(errors.length);
        expect(
          errors.filter((code) => (common as readonly string[]).includes(code)),
          name,
        ).toEqual([]);
      }
    },
  );

  test('every command of a client has a request id, every command of a gateway a visit and an epoch', () => {
    for (const [name, { request }] of Object.entries(clientCommands))
      expect(jsonSchemaOf(request).required, name).toContain('requestId');
    for (const [name, { request }] of Object.entries(controlCommands))
      expect(jsonSchemaOf(request).required, name).toEqual(
        expect.arrayContaining(['visit', 'epoch']),
      );
  });

  test('every source has a kind', () => {
    expect(Object.keys(KIND_OF_SOURCE)).toEqual(MediaSource.options);
  });
});

describe('limits', () => {
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(['prefer-consumers', value]));
  const uuid = '123e4567-e89b-12d3-a456-426614174000';

  test('a listener can receive everybody of a full visit', () => {
    expect((LIMITS.participantsPerVisit - 1) * LIMITS.producersPerParticipant).toBeLessThanOrEqual(
      LIMITS.consumersPerParticipant,
    );
  });

  test('a node may have what a gateway may ask for', () => {
    const people = LIMITS.participantsPerVisit + LIMITS.audiencePerVisit;
    expect(LIMITS.peersPerVisit).toBeGreaterThanOrEqual(2 * people);
    expect(LIMITS.producersPerPeer).toBeGreaterThanOrEqual(LIMITS.producersPerParticipant);
  });

  test('all who are seen may go, and as many others come, in one event', () => {
    const shown = LIMITS.participantsPerVisit + LIMITS.audienceShown;
    // Beside the visit itself, its invitations and its calls.
    expect(LIMITS.changes).toBeGreaterThanOrEqual(2 * shown + 3);
  });

  test('what a page says of all its consumers fits in one packet', () => {
    const requestId = 'r'.repeat(LIMITS.idLength);
    const consumerIds = Array(LIMITS.consumersPerParticipant).fill(uuid);
    expect(bytes({ requestId, consumerIds })).toBeLessThan(LIMITS.clientMessageBytes);
    const preferences = Array(LIMITS.participantsPerVisit * 2).fill({
      consumerId: uuid,
      paused: false,
      spatialLayer: 3,
      temporalLayer: 3,
    });
    expect(bytes({ requestId, preferences })).toBeLessThan(LIMITS.clientMessageBytes);
  });

  test('what a node lost fits in one packet', () => {
    const visits = Array(LIMITS.visitsPerReport).fill('v'.repeat(22));
    expect(bytes({ visits, reason: 'worker-died' })).toBeLessThan(LIMITS.controlMessageBytes);
  });
});
