import { css } from 'lit';

/** Waiting room, panels, chat and what else a clinical visit has; on top of `styles`. */
export const clinicalStyles = css`
  h3 {
    margin: 0;
    font-size: 1em;
    font-weight: 650;
  }
  ol,
  fieldset,
  legend {
    margin: 0;
    padding: 0;
    border: 0;
    list-style: none;
  }
  textarea {
    font: inherit;
    color: inherit;
  }
  input[type='text'],
  textarea {
    inline-size: 100%;
    min-block-size: 44px;
    padding: 8px 12px;
    border: 1px solid #84959c;
    border-radius: calc(var(--_radius) * 0.7);
    background: var(--_panel);
  }
  textarea {
    resize: none;
    display: block;
  }

  /* Waiting room */
  .waiting-room {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
  }
  .waiting-room .prejoin {
    position: relative;
    inset: auto;
    flex: 1;
    min-block-size: 0;
    inline-size: 100%;
    grid-template-columns: minmax(300px, 1fr) minmax(0, 1.35fr);
  }
  .waiting-room .banner {
    border: 1px solid var(--_line);
  }
  .waiting-room .ready {
    gap: 12px;
  }
  .awaited {
    font-size: 1.125em;
  }
  .expected {
    list-style: none;
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
  }
  .expected li {
    display: flex;
    align-items: center;
    gap: 8px;
    padding: 8px 14px;
    border-radius: 99px;
    color: var(--_accent);
    background: color-mix(in srgb, var(--_accent) 10%, var(--_panel));
  }
  .expected svg {
    inline-size: 20px;
    block-size: 20px;
  }
  .news li {
    padding: 10px 14px;
    border-inline-start: 4px solid var(--_accent);
    border-radius: calc(var(--_radius) * 0.5);
    background: color-mix(in srgb, var(--_accent) 6%, var(--_panel));
    overflow-wrap: anywhere;
  }
  .news li + li {
    margin-block-start: 8px;
  }
  .news small,
  .bubble small {
    color: var(--_muted-text);
    font-size: 0.8125em;
  }
  summary {
    display: flex;
    align-items: center;
    gap: 10px;
    min-block-size: 44px;
    cursor: pointer;
    font-weight: 600;
  }
  summary::after {
    content: '';
    inline-size: 8px;
    block-size: 8px;
    border: solid currentColor;
    border-width: 0 2px 2px 0;
    rotate: 45deg;
    translate: 0 -2px;
  }
  details[open] > summary::after {
    rotate: -135deg;
    translate: 0 2px;
  }
  details > .field + .field {
    margin-block-start: 12px;
  }

  /* Stage with a panel beside it */
  .body {
    position: relative;
    flex: 1;
    min-block-size: 0;
    display: flex;
  }
  .panel {
    flex: 0 0 min(24em, 38%);
    display: flex;
    flex-direction: column;
    min-block-size: 0;
    margin: clamp(6px, 1cqi, 14px);
    margin-block-end: 0;
    margin-inline-start: 0;
    border-radius: var(--_radius);
    background: var(--_panel);
    color: var(--_on-panel);
    overflow: hidden;
    --_focus: var(--bedside-focus, #1a73e8);
  }
  .panel h2:focus {
    outline: none;
  }
  .panel > header,
  .group > header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 8px;
  }
  .panel > header {
    padding-block: 6px;
    padding-inline: 16px 8px;
    border-block-end: 1px solid var(--_line);
  }
  .panel > header h2,
  .group > header h3 {
    flex: 1;
  }
  .scroll {
    flex: 1;
    min-block-size: 0;
    overflow: auto;
    padding: 8px 16px;
  }
  .group > header {
    min-block-size: 44px;
    color: var(--_muted-text);
  }
  .group h3 {
    display: flex;
    align-items: center;
    gap: 8px;
    font-size: 0.875em;
  }
  .group h3 svg {
    inline-size: 18px;
    block-size: 18px;
  }
  .group .count {
    font-weight: 400;
  }
  .group ul,
  .invites,
  .chips {
    list-style: none;
  }
  .group + .group {
    margin-block-start: 8px;
    padding-block-start: 4px;
    border-block-start: 1px solid var(--_line);
  }
  .group.waiting {
    margin-inline: -8px;
    padding: 4px 8px 8px;
    border-radius: calc(var(--_radius) * 0.75);
    background: color-mix(in srgb, var(--_accent) 9%, var(--_panel));
  }
  .group.waiting header {
    color: inherit;
  }
  .person {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 8px;
    min-block-size: 52px;
    padding-block: 2px;
  }
  .person > .check,
  .person > .who {
    flex: 1 1 9em;
  }
  .person .check {
    align-items: center;
  }
  .person .check input {
    margin: 0;
  }
  .panel .who,
  .invites .who {
    column-gap: 6px;
    align-items: center;
    line-height: 1.3;
  }
  .who > small,
  .check .who small {
    flex-basis: 100%;
    color: var(--_muted-text);
    font-size: 0.8125em;
  }
  .panel .name {
    white-space: normal;
    overflow-wrap: anywhere;
  }
  .quiet-mic {
    color: var(--_danger);
  }
  .quiet-mic svg,
  .raised svg {
    inline-size: 18px;
    block-size: 18px;
  }
  .panel .raised {
    padding: 3px;
    border-radius: 50%;
    background: #ffd54a;
    color: #3b2c00;
  }
  .label .raised {
    color: #ffd54a;
  }
  .deeds {
    display: flex;
    flex-wrap: wrap;
    gap: 6px;
  }
  .person > .deeds:last-child:not(:nth-child(2)) {
    flex-basis: 100%;
    padding-block-end: 8px;
  }
  .banner .deeds button,
  .panel .primary,
  .panel .secondary,
  .invites .secondary,
  .invites .primary {
    padding: 6px 14px;
    font-size: 0.875em;
  }
  .grave {
    color: var(--_danger);
  }
  .selection {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px;
    padding: 10px 16px;
    border-block-start: 1px solid var(--_line);
    background: color-mix(in srgb, var(--_accent) 8%, var(--_panel));
  }
  .selection b {
    flex-basis: 100%;
    font-size: 0.875em;
  }

  /* Messages: turned over, so that the newest is in sight and stays there */
  .scroll.log {
    display: flex;
    flex-direction: column-reverse;
  }
  .log ol {
    display: grid;
    gap: 8px;
    margin-block-start: auto;
  }
  .bubble {
    justify-self: start;
    max-inline-size: 88%;
    overflow-wrap: anywhere;
  }
  .bubble p {
    padding: 7px 12px;
    border-radius: calc(var(--_radius) * 0.9);
    border-start-start-radius: 4px;
    background: color-mix(in srgb, var(--_on-panel) 7%, var(--_panel));
    white-space: pre-wrap;
  }
  .bubble.mine {
    justify-self: end;
  }
  .bubble.mine p {
    border-start-start-radius: calc(var(--_radius) * 0.9);
    border-end-end-radius: 4px;
    background: color-mix(in srgb, var(--_accent) 14%, var(--_panel));
  }
  .bubble.private p {
    border: 1px dashed var(--_accent);
  }
  .nothing {
    padding: 24px;
    text-align: center;
    color: var(--_muted-text);
  }
  .compose {
    display: grid;
    gap: 8px;
    padding: 10px 16px 14px;
    border-block-start: 1px solid var(--_line);
  }
  .compose .field {
    grid-template-columns: auto 1fr;
    align-items: center;
    gap: 10px;
  }
  .line {
    display: flex;
    align-items: end;
    gap: 8px;
  }
  .send {
    background: var(--_accent);
    color: var(--_on-accent);
  }
  .icon-button.send:hover {
    background: color-mix(in srgb, var(--_accent) 86%, black);
  }
  [dir='rtl'] .send svg {
    scale: -1 1;
  }
  .reactions {
    display: flex;
    justify-content: center;
    font-size: 1.25em;
  }
  .reaction {
    position: absolute;
    z-index: 2;
    inset-block-start: 10%;
    inset-inline: 0;
    text-align: center;
    font-size: min(30cqmin, 72px);
    pointer-events: none;
  }

  /* Over the pictures */
  .captions {
    position: absolute;
    z-index: 3;
    inset-inline: 4%;
    inset-block-end: 12px;
    display: grid;
    justify-items: center;
    gap: 4px;
    pointer-events: none;
  }
  .captions p {
    max-inline-size: 46ch;
    padding: 4px 12px;
    border-radius: 8px;
    background: rgb(0 0 0 / 84%);
    color: #fff;
    font-size: clamp(1.0625em, 2.2cqi, 1.75em);
    line-height: 1.35;
    overflow-wrap: anywhere;
  }
  .captions b {
    color: #a9e8db;
  }
  .held {
    z-index: 1;
  }
  .held .said {
    font-size: 1.25em;
    color: var(--_on-surface);
  }
  .banner p {
    text-wrap: pretty;
  }
  .banner.accent {
    background: var(--_accent);
    color: var(--_on-accent);
  }
  .banner.private {
    background: #e9e2ff;
    color: #2b1a66;
  }
  .banner[data-banner='cue'] {
    font-size: 1.25em;
    font-weight: 650;
  }
  [data-place='room'] .stage {
    outline: 3px solid #b9a5ff;
    outline-offset: 3px;
    border-radius: var(--_radius);
  }
  .glyph {
    position: relative;
  }
  .badge {
    position: absolute;
    inset-block-start: -4px;
    inset-inline-end: -4px;
    min-inline-size: 22px;
    padding-inline: 5px;
    border-radius: 11px;
    background: #ffd54a;
    color: #2b2000;
    font-size: 0.8125em;
    font-weight: 700;
    line-height: 22px;
    text-align: center;
  }
  .tool[aria-expanded='true'] .glyph,
  .tool.hand[aria-pressed='true'] .glyph {
    background: var(--_speaking);
    color: #06251f;
  }
  /* A sound, for who sees it. */
  .root[data-flash]::after {
    content: '';
    position: absolute;
    inset: 0;
    z-index: 9;
    border: 10px solid #ffd54a;
    pointer-events: none;
    animation: flash 0.7s ease-in-out infinite alternate;
  }
  @keyframes flash {
    to {
      opacity: 0.25;
    }
  }

  /* Dialogs */
  .menu {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(92px, 1fr));
    gap: 12px 4px;
  }
  .menu .tool {
    inline-size: 100%;
  }
  .menu .caption {
    font-size: 0.875em;
    white-space: normal;
  }
  .chips {
    display: flex;
    flex-wrap: wrap;
    gap: 6px;
    margin-block-end: 4px;
  }
  .chips li {
    display: flex;
    align-items: center;
    padding-inline-start: 14px;
    border-radius: 99px;
    background: color-mix(in srgb, var(--_accent) 11%, var(--_panel));
    font-weight: 600;
  }
  .chips svg {
    inline-size: 18px;
    block-size: 18px;
  }
  .dialog fieldset {
    display: grid;
    gap: 8px;
    justify-items: start;
    padding-block-start: 12px;
    border-block-start: 1px solid var(--_line);
  }
  .dialog fieldset .field {
    inline-size: 100%;
  }
  .dialog legend {
    float: inline-start;
    font-weight: 650;
  }
  .call fieldset {
    grid-template-columns: repeat(auto-fit, minmax(9em, 1fr));
  }
  .call fieldset > :is(legend, small) {
    grid-column: 1 / -1;
  }
  .invites {
    display: grid;
    gap: 10px;
  }
  .invites li {
    display: grid;
    gap: 6px;
    padding: 10px 12px;
    border: 1px solid var(--_line);
    border-radius: calc(var(--_radius) * 0.75);
  }
  .invites .link {
    flex: 1 1 100%;
  }
  .ended .times {
    border-collapse: collapse;
    font-variant-numeric: tabular-nums;
    text-align: start;
  }
  .ended p.times {
    color: inherit;
  }
  .times th,
  .times td {
    padding: 6px clamp(4px, 1.5cqi, 14px);
    text-align: start;
    font-weight: 400;
    border-block-end: 1px solid var(--_line);
  }
  .times td {
    white-space: nowrap;
  }
  .times th {
    font-weight: 600;
  }

  @container (max-width: 900px) {
    .panel {
      position: absolute;
      z-index: 4;
      inset: 0;
      margin: 6px 6px 0;
    }
  }
  @container (max-width: 880px) and (min-height: 481px) {
    .waiting-room .prejoin {
      grid-template-columns: minmax(0, 560px);
      align-content: start;
    }
    .waiting-room .emblem {
      display: none;
    }
  }
  @container (max-height: 480px) and (min-width: 560px) {
    .body {
      grid-row: 2;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    .root[data-flash]::after {
      animation: none;
    }
  }
  @media (forced-colors: active) {
    .panel,
    .badge,
    .bubble p,
    .captions p,
    .chips li {
      border: 1px solid CanvasText;
    }
  }
`;
