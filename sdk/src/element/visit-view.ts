import { HOLD } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { LocalParticipant, Participant } from '../types.ts';
import { type Banner, banners } from './banner.ts';
import { icons } from './icons.ts';
import { arrange, type Rect, type Size } from './layout.ts';
import { fitFor, isPinned, isPrivate, isSending, shown } from './people.ts';
import { onHold } from './place-dialogs.ts';
import { type TileOptions, tile } from './tile.ts';
import { type ToolbarActions, type ToolbarState, toolbar } from './toolbar.ts';
import type { View } from './view.ts';

export interface VisitViewOptions extends ToolbarState {
  /** Size of the stage, CSS pixels; undefined until measured. */
  stage: Size | undefined;
  actions: ToolbarActions;
  banners: readonly (Banner | false)[];
  captions: unknown;
  /** The panel that is open. */
  side: unknown;
}

/** The visit under way: stage with everybody, toolbar below, what needs attention on top. */
export function visitView(view: View, options: VisitViewOptions): TemplateResult {
  const { visit, t } = view;
  const self = visit.localParticipant;
  const others = shown(visit.participants.values());
  const held = self.place === HOLD;
  const elsewhere = [...visit.participants.values()].some(({ state }) => state === 'admitted');
  return html`<section class="visit" part="visit" tabindex="-1" aria-labelledby="visit-title" data-place=${isPrivate(self) ? 'room' : self.place}>
    <h1 id="visit-title" class="hidden">${t('visit')}</h1>
    ${banners(view, options.banners)}
    <div class="body">
      <div class="stage" part="stage">
        ${
          held
            ? onHold(view, icons.pause)
            : others.length === 0
              ? html`<div class="message quiet">
                  <div class="emblem" aria-hidden="true">${icons.person}</div>
                  <h2>${t(elsewhere ? 'aloneHere' : 'alone')}</h2>
                  <p>${t(elsewhere ? 'aloneHereHint' : 'aloneHint')}</p>
                </div>`
              : nothing
        }
        <ul class="tiles" role="list" aria-label=${t('people')}>
          ${repeat(
            tilesOf(self, others, options.stage),
            ({ participant, source }) => `${participant.id} ${source}`,
            (options) => tile(view, options),
          )}
        </ul>
        ${options.captions}
      </div>
      ${options.side}
    </div>
    ${toolbar(view, options.actions, options)}
  </section>`;
}

/**
 * Everything on the stage with its place: also the order in which it is read. What is shown comes first,
 * then who has to be seen large, oneself last.
 */
function tilesOf(
  self: LocalParticipant,
  others: readonly Participant[],
  stage: Size | undefined,
): TileOptions[] {
  // Where all are signers, all are as large.
  const pinned = others.some((one) => !isPinned(one)) ? others.filter(isPinned) : [];
  const exams = [...others, self].filter((participant) => isSending(participant, 'exam'));
  const screens = others.filter((participant) => isSending(participant, 'screen'));
  const large: Pick<TileOptions, 'participant' | 'source'>[] = [
    ...exams.map((participant) => ({ participant, source: 'exam' as const })),
    ...screens.map((participant) => ({ participant, source: 'screen' as const })),
    ...pinned.map((participant) => ({ participant, source: 'camera' as const })),
  ];
  const rest = others.filter((one) => !pinned.includes(one));
  const hasSelf = self.grants.has('publish-video') || self.grants.has('publish-audio');
  const places =
    stage &&
    arrange({
      ...stage,
      hasSelf,
      screens: large.length,
      people: rest.map(fitFor),
    });
  const at = (rects: readonly Rect[] | undefined, index: number): Rect | undefined =>
    rects?.[index];
  const own = { participant: self, source: 'camera' } as const;
  return [
    ...large.map((shown, index): TileOptions => ({ ...shown, rect: at(places?.screens, index) })),
    ...rest.map(
      (participant, index): TileOptions => ({
        participant,
        source: 'camera',
        rect: at(places?.people, index),
      }),
    ),
    ...(hasSelf ? [{ ...own, rect: places?.self, floats: places?.selfFloats ?? true }] : []),
  ];
}
