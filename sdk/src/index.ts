export { BedsideError, ERRORS, type ErrorCode } from '@bedside/protocol';
export { OnCall } from './clinic/on-call.ts';
export type * from './clinic/on-call-types.ts';
export { Queue } from './clinic/queue.ts';
export type * from './clinic/types.ts';
export type * from './types.ts';
export { Visit } from './visit.ts';
