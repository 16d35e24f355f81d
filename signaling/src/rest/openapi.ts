import {
  Admission,
  ClinicId,
  ConnectionState,
  CreateVisit,
  Distribution,
  EvidenceResource,
  LeaveReason,
  LedgerEntry,
  LedgerResource,
  ParticipantId,
  ParticipantState,
  Problem,
  Role,
  VisitId,
  VisitKind,
  VisitResource,
  VisitState,
  Wait,
} from '@bedside/protocol';
import * as z from 'zod/mini';

/** All that one of them refers to is among them. */
const COMPONENTS = {
  Admission,
  ClinicId,
  ConnectionState,
  CreateVisit,
  Distribution,
  EvidenceResource,
  LeaveReason,
  LedgerEntry,
  LedgerResource,
  ParticipantId,
  ParticipantState,
  Problem,
  Role,
  VisitId,
  VisitKind,
  VisitResource,
  VisitState,
  Wait,
};

const ref = (name: keyof typeof COMPONENTS) => ({ $ref: `#/components/schemas/${name}` });

function schemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id });
  const generated = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(generated.schemas).map(([id, { $id, $schema, ...schema }]) => [id, schema]),
  );
}

const visitAnswer = (description: string) => ({
  description,
  content: { 'application/json': { schema: ref('VisitResource') } },
});
const problem = {
  description: 'Problem details (RFC 9457).',
  content: { 'application/problem+json': { schema: ref('Problem') } },
};
const visitParameter = { name: 'visit', in: 'path', required: true, schema: ref('VisitId') };

/** The OpenAPI 3.1 document of `/v1`, from the schemas by which requests are checked. */
export function openApiDocument(): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Bedside',
      version: '1',
      description: 'Visits, for the servers of portals. A tenant sees its own visits only.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }],
    paths: {
      '/v1/visits': {
        post: {
          operationId: 'createVisit',
          summary:
            'Create a visit. Where it is there already, it is the answer, unchanged: properties are those of the first time.',
          requestBody: {
            required: true,
            content: { 'application/json': { schema: ref('CreateVisit') } },
          },
          responses: {
            201: visitAnswer('Created.'),
            200: visitAnswer('It was there already.'),
            default: problem,
          },
        },
      },
      '/v1/visits/{visit}': {
        get: {
          operationId: 'readVisit',
          summary: 'Read a visit.',
          parameters: [visitParameter],
          responses: { 200: visitAnswer('The visit.'), default: problem },
        },
      },
      '/v1/visits/{visit}/evidence': {
        get: {
          operationId: 'readEvidence',
          summary: 'How well signed conversations could be seen: numbers that the pages measured.',
          parameters: [visitParameter],
          responses: {
            200: {
              description: 'For each page and each picture.',
              content: { 'application/json': { schema: ref('EvidenceResource') } },
            },
            default: problem,
          },
        },
      },
      '/v1/visits/{visit}/events': {
        get: {
          operationId: 'readEvents',
          summary:
            'What happened in a visit: who was there when, in which role, on hold, in private with whom.',
          parameters: [visitParameter],
          responses: {
            200: {
              description: 'The events, the oldest first.',
              content: { 'application/json': { schema: ref('LedgerResource') } },
            },
            default: problem,
          },
        },
      },
      '/v1/visits/{visit}/wait': {
        put: {
          operationId: 'shareWait',
          summary:
            'Share with who waits how many are before them, and when it is expected to begin.',
          parameters: [visitParameter],
          requestBody: {
            required: true,
            content: { 'application/json': { schema: ref('Wait') } },
          },
          responses: { 200: visitAnswer('The visit.'), default: problem },
        },
      },
      '/v1/visits/{visit}/end': {
        post: {
          operationId: 'endVisit',
          summary: 'End a visit for everybody. Ending it twice is harmless.',
          parameters: [visitParameter],
          responses: { 200: visitAnswer('The visit, ended.'), default: problem },
        },
      },
    },
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API key of the tenant, or a JWT that the tenant signed with aud "bedside-service".',
        },
      },
      schemas: schemas(),
    },
  };
}
