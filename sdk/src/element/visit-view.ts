import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { LocalParticipant, Participant } from '../types.ts';
import { icons } from './icons.ts';
import { arrange, type Rect } from './layout.ts';
import { fitFor, isSending, shown } from './people.ts';
import { type TileOptions, tile } from './tile.ts';
import { type ToolbarActions, toolbar } from './toolbar.ts';
import type { View } from './view.ts';

export interface VisitViewOptions {
  /** Size of the stage, CSS pixels; undefined until measured. */
  stage: { width: number; height: number } | undefined;
  actions: ToolbarActions & { startAudio(): void; dismissProblem(): void };
  shortcuts: boolean;
  /** A device or action that failed, as text. */
  problem: string | undefined;
}

/** The visit under way: stage with everybody, toolbar below, what needs attention on top. */
export function visitView(view: View, options: VisitViewOptions): TemplateResult {
  const { visit, t } = view;
  const { actions } = options;
  const self = visit.localParticipant;
  const others = shown(visit.participants.values());
  const waiting = self.state === 'waiting';
  return html`<section class="visit" part="visit" tabindex="-1" aria-labelledby="visit-title">
    <h1 id="visit-title" class="hidden">${t('visit')}</h1>
    <div class="banners">
      ${
        visit.state === 'reconnecting'
          ? html`<div class="banner warning" part="banner" data-banner="reconnecting">
              <span class="spinner" aria-hidden="true"></span>${t('reconnecting')}
            </div>`
          : nothing
      }
      ${
        visit.canPlaybackAudio
          ? nothing
          : html`<div class="banner" part="banner" data-banner="audio" role="alert">
              ${icons.sound}<span>${t('audioBlocked')}</span>
              <button type="button" class="primary" data-action="start-audio" @click=${actions.startAudio}>${t('audioAllow')}</button>
            </div>`
      }
      ${
        options.problem === undefined
          ? nothing
          : html`<div class="banner" part="banner" data-banner="problem" role="alert">
              ${icons.alert}<span>${options.problem}</span>
              <button type="button" class="icon-button" aria-label=${t('close')} @click=${actions.dismissProblem}>${icons.close}</button>
            </div>`
      }
      ${
        self.isScreenShareEnabled
          ? html`<div class="banner" part="banner" data-banner="screen">${icons.share}<span>${t('yourScreen')}</span>
                <button type="button" class="secondary" data-action="stop-screen" @click=${actions.toggleScreen}>${t('stopScreen')}</button>
              </div>`
          : nothing
      }
    </div>
    <div class="stage" part="stage">
      ${
        waiting || others.length === 0
          ? html`<div class="message quiet">
              <div class="emblem" aria-hidden="true">${icons[waiting ? 'door' : 'person']}</div>
              <h2>${t(waiting ? 'waiting' : 'alone')}</h2>
              <p>${t(waiting ? 'waitingHint' : 'aloneHint')}</p>
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
    </div>
    ${toolbar(view, actions, options.shortcuts)}
  </section>`;
}

/** Everything on the stage with its place, screens first, oneself last: also the order in which it is read. */
function tilesOf(
  self: LocalParticipant,
  others: readonly Participant[],
  stage: { width: number; height: number } | undefined,
): TileOptions[] {
  const screens = others.filter((participant) => isSending(participant, 'screen'));
  const hasSelf = self.grants.has('publish-video') || self.grants.has('publish-audio');
  const places =
    stage && arrange({ ...stage, hasSelf, screens: screens.length, people: others.map(fitFor) });
  const at = (rects: readonly Rect[] | undefined, index: number): Rect | undefined =>
    rects?.[index];
  const own = { participant: self, source: 'camera' } as const;
  return [
    ...screens.map(
      (participant, index): TileOptions => ({
        participant,
        source: 'screen',
        rect: at(places?.screens, index),
      }),
    ),
    ...others.map(
      (participant, index): TileOptions => ({
        participant,
        source: 'camera',
        rect: at(places?.people, index),
      }),
    ),
    ...(hasSelf ? [{ ...own, rect: places?.self, floats: places?.selfFloats ?? true }] : []),
  ];
}
