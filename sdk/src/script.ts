/**
 * Entry of the single script file for a plain <script> tag: registers `<bedside-visit>`;
 * what the ES module exports is in `window.Bedside`, too, but for what the staff of a clinic uses
 * outside of visits: that is in bedside-clinic.js.
 */

import * as core from './core.ts';
import * as element from './element/index.ts';
import type {} from './global.ts';
import * as texts from './texts/index.ts';

element.defineBedsideVisit();

window.Bedside = { ...window.Bedside, ...core, ...element, ...texts };
