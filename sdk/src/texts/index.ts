export { fill, TABLES, type TextKey, type Texts, textsFor } from './texts.ts';
