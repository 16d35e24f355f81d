/**
 * Entry of the single script file for a plain <script> tag: registers `<bedside-visit>`;
 * what the ES module exports is in `window.Bedside`, too.
 */
import { defineBedsideVisit } from './element/index.ts';
import * as Bedside from './module.ts';

defineBedsideVisit();

declare global {
  interface Window {
    Bedside: typeof Bedside;
  }
}
window.Bedside = Bedside;
