export {
  BedsideVisitElement,
  type BedsideVisitEventMap,
  defineBedsideVisit,
  type Phase,
} from './element.ts';
