export {
  BedsideVisitElement,
  type BedsideVisitEventMap,
  defineBedsideVisit,
  type Phase,
} from './bedside-visit.ts';
