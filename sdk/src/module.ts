/** Entry of the ES module: the core, the element and its texts. Importing it registers nothing. */
export * from './element/index.ts';
export * from './index.ts';
export * from './texts/index.ts';
