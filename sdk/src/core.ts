/** What a page in a visit uses, without the element. */
export { BedsideError, ERRORS, type ErrorCode } from '@bedside/protocol';
export type * from './types.ts';
export { Visit } from './visit.ts';
