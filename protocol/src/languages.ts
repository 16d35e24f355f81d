import type { LanguageTag } from './visit.ts';

/** ISO 639-3 codes of signed languages (SIL's code tables, family "sign language"), without those that are extinct. */
const SIGNED = new Set(
  (
    'ads aed aen afg ajs ase asf asp asq asw bfi bfk bog bqn bqy bvl bzs cds csc csd cse csf csg csl csn csq csr csx ' +
    'doq dse dsl dsz ecs ehs esl esn eso eth fcs fse fsl fss gds gse gsg gsm gss gus hab haf hds hks hos hps hsh hsl ' +
    'icl iks inl ins ise isg isr jcs jhs jks jls jos jsl jus kgi kvk lbs lls lsb lsc lsg lsl lsn lso lsp lst lsv lsw ' +
    'lsy lws mdl mfs mre msd msr mzc mzg mzy nbs ncs nsi nsl nsp nsr nzs okl pgz pks prl prz psc psd psg psl pso psp ' +
    'psr pys rib rms rnb rsi rsl rsm rsn sdl sfb sfs sgg sgx shu slf sls sqk sqs sqx ssp ssr svk swl syy szs tsm tsq ' +
    'tss tsy tza ugn ugy ukl uks vgt vsi vsl vsv wbs xki xml xms yds ygs yhs ysl ysm zib zsl'
  ).split(' '),
);

const primary = (tag: LanguageTag): string => tag.toLowerCase().split('-', 1)[0] ?? '';

/** Whether a language is a signed one: its ISO 639-3 code, or `sgn` with a region. */
export function isSigned(tag: LanguageTag): boolean {
  return primary(tag) === 'sgn' || SIGNED.has(primary(tag));
}

/** Alike for tags of one language: the primary subtag (`es` of `es-MX`), in lower case. */
export function languageKey(tag: LanguageTag): string {
  const code = primary(tag);
  // `sgn` alone names no language: its region does.
  return code === 'sgn' ? tag.toLowerCase() : code;
}

/** Whether who knows one language follows the other: `es`, `es-MX`. Case is ignored. */
export const sameLanguage = (one: LanguageTag, other: LanguageTag): boolean =>
  languageKey(one) === languageKey(other);
