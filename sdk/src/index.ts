/** All of the SDK that is without a user interface. */
export { OnCall } from './clinic/on-call.ts';
export type * from './clinic/on-call-types.ts';
export { Queue } from './clinic/queue.ts';
export type * from './clinic/types.ts';
export * from './core.ts';
