import type * as Bedside from './module.ts';

declare global {
  interface Window {
    /** Each of the scripts brings its part. */
    Bedside?: Partial<typeof Bedside>;
  }
}
