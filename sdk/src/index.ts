export { BedsideError, ERRORS, type ErrorCode } from '@bedside/protocol';
export { Queue } from './clinic/queue.ts';
export type * from './clinic/types.ts';
export type * from './types.ts';
export { Visit } from './visit.ts';
