import { html, nothing, type TemplateResult } from 'lit';

/** Something that the person may do now. */
export interface Act {
  action: string;
  label: string;
  primary?: boolean;
  /** Can not be taken back. */
  danger?: boolean;
  /** To whom or what, where the label alone does not say it to who can not see the place. */
  about?: string;
  onClick(event: Event): void;
}

/** Those that there are: conditions leave `false` in their lists. */
export const given = <One>(all: readonly (One | false)[]): One[] => all.filter(Boolean) as One[];

export function buttons(acts: readonly (Act | false)[]): TemplateResult[] {
  return given(acts).map(
    ({ action, label, primary, danger, about, onClick }) => html`<button
      type="button"
      class=${primary ? 'primary' : danger ? 'secondary grave' : 'secondary'}
      data-action=${action}
      aria-label=${about ? `${label}: ${about}` : nothing}
      @click=${onClick}
    >${label}</button>`,
  );
}
