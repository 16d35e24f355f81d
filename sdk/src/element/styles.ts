import { css } from 'lit';

/**
 * Everything in logical properties, so that right-to-left needs nothing more. A page themes it by
 * the `--bedside-…` properties and by `::part()`. Sizes follow the element's own size, not the window's.
 */
export const styles = css`
  :host {
    --_accent: var(--bedside-accent, #0b6b66);
    --_on-accent: var(--bedside-on-accent, #ffffff);
    --_surface: var(--bedside-surface, #111b21);
    --_on-surface: var(--bedside-on-surface, #f1f6f7);
    --_tile: var(--bedside-tile, #1f2d35);
    --_panel: var(--bedside-panel, #ffffff);
    --_on-panel: var(--bedside-on-panel, #15252c);
    --_muted-text: var(--bedside-on-panel-muted, #52636b);
    --_line: var(--bedside-line, #d5dfe2);
    --_danger: var(--bedside-danger, #b4231a);
    --_on-danger: var(--bedside-on-danger, #ffffff);
    --_speaking: var(--bedside-speaking, #5fd8c0);
    --_focus: var(--bedside-focus, #1a73e8);
    --_radius: var(--bedside-radius, 14px);
    --_font: var(--bedside-font, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif);
    display: block;
    position: relative;
    inline-size: 100%;
    block-size: 100%;
    min-inline-size: 280px;
    min-block-size: 280px;
    /* Where the page gives it no height. */
    contain-intrinsic-block-size: min(600px, 100dvh);
    container-type: size;
    overflow: hidden;
    font-family: var(--_font);
    /* The person's own text size: a page may have made 1rem anything. */
    font-size: medium;
    line-height: 1.45;
    color-scheme: light;
    color: var(--_on-panel);
    background: var(--_panel);
  }
  :host([hidden]) {
    display: none;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  h1,
  h2,
  p,
  ul {
    margin: 0;
    padding: 0;
  }
  h1 {
    font-size: 1.75em;
    line-height: 1.2;
    letter-spacing: -0.015em;
    font-weight: 650;
  }
  h2 {
    font-size: 1.25em;
    line-height: 1.25;
    font-weight: 650;
  }
  h1:focus,
  .visit:focus {
    outline: none;
  }
  svg {
    display: block;
    flex: none;
  }
  .root {
    position: absolute;
    inset: 0;
  }
  .hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  /* Controls */
  button,
  select,
  input {
    font: inherit;
    color: inherit;
  }
  button {
    cursor: pointer;
    border: 0;
    background: none;
  }
  :focus-visible {
    outline: 3px solid var(--_focus);
    outline-offset: 2px;
    border-radius: 8px;
  }
  .primary,
  .secondary,
  .danger {
    min-block-size: 44px;
    padding: 8px 18px;
    border-radius: calc(var(--_radius) * 0.75);
    font-weight: 600;
    border: 1px solid transparent;
    transition:
      background-color 0.15s,
      border-color 0.15s;
  }
  .primary {
    background: var(--_accent);
    color: var(--_on-accent);
  }
  .primary:hover {
    background: color-mix(in srgb, var(--_accent) 86%, black);
  }
  .danger {
    background: var(--_danger);
    color: var(--_on-danger);
  }
  .danger:hover {
    background: color-mix(in srgb, var(--_danger) 86%, black);
  }
  .secondary {
    background: transparent;
    border-color: color-mix(in srgb, currentColor 42%, transparent);
  }
  .secondary:hover {
    background: color-mix(in srgb, currentColor 8%, transparent);
  }
  button.large {
    min-block-size: 52px;
    font-size: 1.0625em;
    padding-inline: 28px;
  }
  .icon-button {
    inline-size: 44px;
    block-size: 44px;
    display: grid;
    place-items: center;
    border-radius: 50%;
    flex: none;
  }
  .icon-button:hover {
    background: color-mix(in srgb, currentColor 10%, transparent);
  }
  .field {
    display: grid;
    gap: 4px;
  }
  .field > span {
    font-size: 0.875em;
    font-weight: 600;
    color: var(--_muted-text);
  }
  select {
    inline-size: 100%;
    min-block-size: 44px;
    padding-block: 8px;
    padding-inline: 12px 36px;
    border: 1px solid #84959c;
    border-radius: calc(var(--_radius) * 0.7);
    background: var(--_panel);
    text-overflow: ellipsis;
  }
  select:disabled {
    color: var(--_muted-text);
    background: color-mix(in srgb, var(--_line) 35%, var(--_panel));
  }
  .check {
    display: flex;
    gap: 12px;
    align-items: flex-start;
    min-block-size: 44px;
    cursor: pointer;
  }
  .check input {
    inline-size: 1.4em;
    block-size: 1.4em;
    margin: 2px 0 0;
    accent-color: var(--_accent);
    flex: none;
  }
  .check b,
  .check small {
    display: block;
  }
  .check b {
    font-weight: 600;
  }
  .check small {
    color: var(--_muted-text);
    font-size: 0.875em;
  }
  .spinner {
    display: inline-block;
    inline-size: 20px;
    block-size: 20px;
    border-radius: 50%;
    border: 3px solid color-mix(in srgb, currentColor 25%, transparent);
    border-block-start-color: currentColor;
    animation: turn 0.9s linear infinite;
    flex: none;
  }
  .spinner.large {
    inline-size: 44px;
    block-size: 44px;
    border-width: 4px;
    color: var(--_accent);
  }
  @keyframes late {
    from {
      visibility: hidden;
    }
  }
  @keyframes turn {
    to {
      rotate: 1turn;
    }
  }

  /* Messages that fill the element */
  .message {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
    align-items: center;
    justify-content: safe center;
    text-align: center;
    gap: 12px;
    padding: 24px;
    overflow: auto;
  }
  .message p {
    max-inline-size: 44ch;
    color: var(--_muted-text);
  }
  .message .primary,
  .message .secondary {
    margin-block-start: 12px;
  }
  .emblem {
    flex: none;
    inline-size: 76px;
    block-size: 76px;
    display: grid;
    place-items: center;
    border-radius: 50%;
    color: var(--_accent);
    background: color-mix(in srgb, var(--_accent) 12%, var(--_panel));
    margin-block-end: 4px;
  }
  .emblem svg {
    inline-size: 34px;
    block-size: 34px;
  }
  .ended[data-reason='failed'] .emblem,
  .ended[data-reason='token-expired'] .emblem {
    color: var(--_danger);
    background: color-mix(in srgb, var(--_danger) 10%, var(--_panel));
  }
  .notice {
    display: flex;
    align-items: center;
    flex-wrap: wrap;
    gap: 8px 12px;
    padding: 12px 14px;
    border-radius: calc(var(--_radius) * 0.75);
    border: 1px solid #dba23a;
    background: #fff6e3;
    color: #4a3305;
  }
  .notice p {
    flex: 1 1 12em;
    font-size: 0.9375em;
  }

  /* Before the visit */
  .prejoin {
    position: absolute;
    inset: 0;
    overflow: auto;
    display: grid;
    grid-template-columns: minmax(0, 1.35fr) minmax(300px, 1fr);
    align-content: safe center;
    align-items: center;
    gap: clamp(20px, 4cqi, 56px);
    padding: clamp(16px, 4cqi, 56px);
    max-inline-size: 1240px;
    margin-inline: auto;
  }
  .frame {
    position: relative;
    aspect-ratio: 16 / 10;
    max-block-size: calc(100cqb - 190px);
    inline-size: 100%;
    border-radius: calc(var(--_radius) * 1.3);
    overflow: hidden;
    background: var(--_surface);
    color: var(--_on-surface);
    box-shadow: 0 18px 50px -20px rgb(12 35 42 / 45%);
  }
  .placeholder {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
    align-items: center;
    justify-content: center;
    gap: 12px;
    font-size: 0.9375em;
  }
  .placeholder .avatar {
    position: static;
    margin: 0;
    inline-size: 96px;
    block-size: 96px;
  }
  .preview-tools {
    display: flex;
    flex-wrap: wrap;
    align-items: flex-start;
    gap: 4px 12px;
    padding-block-start: 14px;
  }
  .sound-check {
    flex: 1 1 7em;
    min-inline-size: 0;
    display: grid;
    gap: 8px;
    max-inline-size: 360px;
    padding-block-start: 20px;
    color: var(--_muted-text);
    font-size: 0.875em;
    line-height: 1.35;
  }
  .level {
    block-size: 8px;
    border-radius: 4px;
    background: color-mix(in srgb, var(--_on-panel) 12%, transparent);
    overflow: hidden;
  }
  .level::before {
    content: '';
    display: block;
    block-size: 100%;
    border-radius: inherit;
    background: var(--_accent);
    inline-size: calc(var(--level, 0) * 100%);
    transition: inline-size 0.08s linear;
  }
  .ready {
    display: flex;
    flex-direction: column;
    gap: 16px;
    min-inline-size: 0;
  }
  .as {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 8px;
  }
  .as-label {
    color: var(--_muted-text);
  }
  .role-chip {
    padding: 2px 12px;
    border-radius: 99px;
    font-size: 0.875em;
    font-weight: 600;
    color: var(--_accent);
    background: color-mix(in srgb, var(--_accent) 11%, var(--_panel));
  }
  .hint {
    color: var(--_muted-text);
  }
  .join {
    display: grid;
    gap: 8px;
  }

  /* In the visit */
  .visit {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
    background: var(--_surface);
    color: var(--_on-surface);
    --_focus: var(--bedside-focus-on-surface, #9fd0ff);
  }
  .stage {
    position: relative;
    flex: 1;
    min-inline-size: 0;
    min-block-size: 0;
    margin: clamp(6px, 1cqi, 14px);
    margin-block-end: 0;
  }
  .tiles {
    list-style: none;
    position: absolute;
    inset: 0;
  }
  .quiet p,
  .quiet {
    color: #bccad0;
  }
  .quiet h2 {
    color: var(--_on-surface);
  }
  .quiet .emblem {
    color: var(--_speaking);
    background: color-mix(in srgb, var(--_speaking) 14%, transparent);
  }
  .quiet {
    inset-block-end: 22%;
  }
  .tile {
    position: absolute;
    overflow: hidden;
    border-radius: var(--_radius);
    background: var(--_tile);
    isolation: isolate;
    container-type: size;
    transition:
      inset-inline-start 0.25s,
      inset-block-start 0.25s,
      inline-size 0.25s,
      block-size 0.25s;
  }
  .tile::after {
    content: '';
    position: absolute;
    inset: 0;
    border-radius: inherit;
    border: 1px solid rgb(255 255 255 / 8%);
    pointer-events: none;
    z-index: 3;
    transition:
      border-color 0.15s,
      border-width 0.15s;
  }
  .tile.speaking::after {
    border: 3px solid var(--_speaking);
  }
  .tile.floats {
    z-index: 2;
    box-shadow: 0 6px 24px rgb(0 0 0 / 45%);
  }
  .tile.floats::after {
    border-color: rgb(255 255 255 / 30%);
  }
  .tile.floats.speaking::after {
    border-color: var(--_speaking);
  }
  .picture {
    position: absolute;
    inset: 0;
    visibility: hidden;
  }
  .picture.shown {
    visibility: visible;
  }
  /* Where a picture is cut above and below, a head is nearer to its upper edge. */
  .picture video {
    position: absolute;
    inset: 0;
    inline-size: 100%;
    block-size: 100%;
    object-fit: cover;
    object-position: 50% 30%;
  }
  /* No colour beside what is judged by its colour. */
  .tile[data-source='exam'] {
    background: #000;
  }
  .mirrored video {
    scale: -1 1;
  }
  .picture video[data-fit='whole'] {
    object-fit: contain;
    object-position: 50% 50%;
  }
  .blank {
    position: absolute;
    inset: 0;
    display: none;
    place-content: center;
    color: #fff;
    /* Not for the moment that each picture takes to begin. */
    animation: late 0s 1s backwards;
  }
  .picture.shown[data-empty] ~ .blank {
    display: grid;
  }
  .avatar {
    position: absolute;
    inset: 0;
    margin: auto;
    aspect-ratio: 1;
    block-size: min(44cqmin, 168px);
    border-radius: 50%;
    display: grid;
    place-items: center;
    background: color-mix(in srgb, var(--_accent) 62%, #e9f5f4);
    background: color-mix(in srgb, var(--_accent) 78%, black);
    color: #fff;
    font-weight: 600;
    font-size: min(16cqmin, 60px);
    letter-spacing: 0.02em;
  }
  .placeholder .avatar {
    font-size: 34px;
  }
  .avatar svg {
    inline-size: 1.4em;
    block-size: 1.4em;
  }
  .veil {
    position: absolute;
    inset: 0;
    z-index: 1;
    display: flex;
    align-items: center;
    justify-content: center;
    gap: 10px;
    background: rgb(10 18 22 / 62%);
    color: #fff;
  }
  .interruption,
  .label {
    position: absolute;
    align-items: center;
    gap: 8px;
    padding: 4px 10px;
    border-radius: calc(var(--_radius) * 0.6);
    background: rgb(10 18 22 / 74%);
    color: #fff;
  }
  .interruption {
    z-index: 1;
    inset-inline-end: 8px;
    inset-block-start: 8px;
    display: none;
    font-size: 0.875em;
  }
  .picture.shown[data-interrupted] + .interruption {
    display: flex;
  }
  .label {
    z-index: 2;
    inset-inline-start: 8px;
    inset-block-end: 8px;
    max-inline-size: calc(100% - 16px);
    display: flex;
    font-size: 0.9375em;
    line-height: 1.3;
  }
  .who {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    column-gap: 8px;
    min-inline-size: 0;
  }
  .name {
    font-weight: 600;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    max-inline-size: 100%;
  }
  .role {
    font-size: 0.875em;
    color: #d4e0e3;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    max-inline-size: 100%;
  }
  .muted {
    color: #ffb4ab;
  }
  .muted svg {
    inline-size: 18px;
    block-size: 18px;
  }
  .bar {
    fill: rgb(255 255 255 / 32%);
  }
  .bar.on {
    fill: #fff;
  }
  .quality[data-level='0'] .bar {
    fill: #ff8a80;
  }
  .quality[data-level='1'] .bar.on {
    fill: #ffb74d;
  }
  .tile.small .label {
    inset-inline-start: 5px;
    inset-block-end: 5px;
    max-inline-size: calc(100% - 10px);
    padding: 2px 7px;
    gap: 5px;
    font-size: 0.8125em;
  }

  /* Above the pictures, not over them: a face or a hand would be hidden. */
  .banners {
    display: grid;
    justify-items: center;
    gap: 6px;
    padding-inline: 8px;
  }
  .banners > :first-child {
    margin-block-start: 8px;
  }
  .banner {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 8px 12px;
    max-inline-size: 76ch;
    padding-block: 8px;
    padding-inline: 16px 8px;
    border-radius: var(--_radius);
    background: var(--_panel);
    color: var(--_on-panel);
    font-size: 0.9375em;
    --_focus: var(--bedside-focus, #1a73e8);
  }
  .banner > p {
    flex: 1 1 0;
    min-inline-size: min(11em, 50cqi);
  }
  .banner .icon-button {
    margin-block: -6px;
    order: 1;
  }
  .banner.warning {
    background: #fff1d0;
    color: #4a3305;
  }

  /* Controls of the visit */
  .toolbar {
    display: flex;
    justify-content: center;
    gap: clamp(0px, 1cqi, 12px);
    padding: 8px clamp(2px, 1cqi, 12px) max(8px, env(safe-area-inset-bottom));
  }
  .tool {
    flex: 0 1 4.75em;
    min-inline-size: 44px;
    display: flex;
    flex-direction: column;
    align-items: center;
    gap: 3px;
    padding: 2px 0;
  }
  .preview-tools .tool {
    flex: 0 0 auto;
    min-inline-size: 68px;
  }
  .glyph {
    inline-size: 48px;
    block-size: 48px;
    display: grid;
    place-items: center;
    border-radius: 50%;
    background: color-mix(in srgb, currentColor 13%, transparent);
    transition: background-color 0.15s;
  }
  .tool:hover .glyph {
    background: color-mix(in srgb, currentColor 24%, transparent);
  }
  .tool.microphone[aria-pressed='false'] .glyph,
  .tool.camera[aria-pressed='false'] .glyph {
    background: #fff;
    color: var(--_danger);
  }
  .preview-tools .tool[aria-pressed='false'] .glyph {
    background: color-mix(in srgb, var(--_danger) 12%, var(--_panel));
  }
  .tool:is(.screen, .exam)[aria-pressed='true'] .glyph {
    background: var(--_speaking);
    color: #06251f;
  }
  .tool.leave .glyph {
    background: var(--_danger);
    color: var(--_on-danger);
  }
  .tool.leave:hover .glyph {
    background: color-mix(in srgb, var(--_danger) 84%, black);
  }
  .caption {
    font-size: 0.75em;
    line-height: 1.25;
    max-inline-size: 100%;
    display: flex;
    align-items: center;
    gap: 4px;
    white-space: nowrap;
  }
  kbd {
    font: inherit;
    font-size: 0.9em;
    padding: 0 4px;
    border-radius: 4px;
    border: 1px solid color-mix(in srgb, currentColor 45%, transparent);
    opacity: 0.9;
    display: none;
  }

  /* Dialogs */
  .dialog {
    inline-size: min(27.5em, calc(100vi - 24px));
    max-inline-size: none;
    max-block-size: calc(100vb - 24px);
    padding: 20px;
    border: 0;
    border-radius: calc(var(--_radius) * 1.2);
    background: var(--_panel);
    color: var(--_on-panel);
    box-shadow: 0 24px 80px rgb(0 0 0 / 45%);
  }
  .dialog::backdrop {
    background: rgb(8 14 18 / 60%);
  }
  .dialog form {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 16px;
    overflow-wrap: break-word;
  }
  .dialog header {
    display: flex;
    align-items: center;
    justify-content: space-between;
    margin-block: -6px -4px;
  }
  .dialog header .icon-button {
    margin-inline-end: -8px;
  }
  .dialog footer {
    display: flex;
    flex-wrap: wrap;
    justify-content: flex-end;
    gap: 10px;
  }

  .dialog.devices footer {
    position: sticky;
    inset-block-end: -20px;
    margin-block-end: -20px;
    padding-block-end: 20px;
    background: var(--_panel);
  }

  @container (min-width: 560px) {
    kbd {
      display: inline-block;
    }
    .tool {
      flex-basis: 5.5em;
    }
  }
  @container (max-width: 880px) and (min-height: 481px) {
    .prejoin {
      grid-template-columns: minmax(0, 560px);
      justify-content: center;
      align-content: safe center;
      gap: 16px;
    }
    .frame {
      max-block-size: 40cqb;
    }
    h1 {
      font-size: 1.5em;
    }
  }
  /* Joining is always at hand, whatever there is to scroll. */
  @container (max-width: 880px) or (max-height: 480px) {
    .join {
      position: sticky;
      inset-block-end: calc(-1 * clamp(16px, 4cqi, 56px));
      margin-block-end: calc(-1 * clamp(16px, 4cqi, 56px));
      padding-block: 12px max(16px, env(safe-area-inset-bottom));
      background: linear-gradient(transparent, var(--_panel) 12px);
    }
  }
  @container (max-width: 460px) {
    .dialog footer {
      flex-direction: column;
      align-items: stretch;
    }
  }
  /* Names of the controls need room: smaller on a phone, and none with large text on a small screen. */
  @container (max-width: 26em) {
    .toolbar {
      gap: 0;
    }
    .toolbar .caption {
      font-size: 0.6875em;
    }
  }
  @container (max-width: 18.5em) {
    .emblem {
      display: none;
    }
    .quiet {
      inset-block-end: 36%;
    }
    .toolbar .caption {
      position: absolute;
      inline-size: 1px;
      block-size: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }
  /* A phone on its side: controls beside the pictures. */
  @container (max-height: 480px) and (min-width: 560px) {
    .prejoin {
      align-content: start;
      align-items: start;
    }
    .quiet {
      inset-block-end: 0;
      inset-inline-end: 38%;
    }
    .frame {
      max-block-size: calc(100cqb - 150px);
    }
    .visit {
      display: grid;
      grid-template: auto minmax(0, 1fr) / minmax(0, 1fr) auto;
    }
    .banners {
      grid-column: 1 / -1;
    }
    .stage {
      margin-block-end: clamp(6px, 1cqi, 14px);
      margin-inline-end: 0;
    }
    .toolbar {
      flex-direction: column;
      padding: 4px max(8px, env(safe-area-inset-right)) 4px 8px;
    }
    .tool {
      flex: 0 1 56px;
      min-block-size: 44px;
      justify-content: center;
    }
    .toolbar .caption {
      position: absolute;
      inline-size: 1px;
      block-size: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }
  @container (min-width: 1600px) {
    .label {
      font-size: 1.125em;
      padding: 6px 14px;
    }
    .tool {
      flex-basis: 6.5em;
    }
    .glyph {
      inline-size: 56px;
      block-size: 56px;
    }
    .caption {
      font-size: 0.875em;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      transition: none !important;
    }
    .spinner {
      animation-duration: 4s;
    }
  }
  @media (prefers-contrast: more) {
    .label,
    .veil {
      background: #000;
    }
    .tile::after {
      border: 2px solid #fff;
    }
    .tile.speaking::after {
      border-width: 5px;
    }
    .glyph {
      border: 2px solid currentColor;
    }
    .hint,
    .message p,
    .as-label,
    .field > span,
    .check small {
      color: inherit;
    }
    .secondary,
    select {
      border-color: currentColor;
    }
  }
  @media (forced-colors: active) {
    .primary,
    .secondary,
    .danger,
    .banner,
    .notice,
    .dialog,
    .role-chip,
    .avatar,
    .frame,
    .level,
    .label {
      border: 1px solid CanvasText;
    }
    .level::before {
      background: CanvasText;
    }
    .glyph {
      border: 2px solid ButtonText;
    }
    .tool .glyph {
      background: ButtonFace;
      color: ButtonText;
    }
    .tool[aria-pressed='true'] .glyph {
      forced-color-adjust: none;
      background: Highlight;
      color: HighlightText;
    }
    .tile::after {
      border-color: CanvasText;
    }
    .tile.speaking::after {
      border: 4px solid Highlight;
    }
    .bar.on {
      fill: CanvasText;
    }
    .bar {
      fill: GrayText;
    }
  }
`;
