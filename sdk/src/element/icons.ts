import { html, type SVGTemplateResult, svg, type TemplateResult } from 'lit';

/** 24 x 24 line icons, drawn with the current colour. Decorative: the control beside them has the name. */
const icon = (paths: SVGTemplateResult): TemplateResult =>
  html`<svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${paths}</svg>`;

const slash = svg`<path d="M4 3.5 20 20.5"/>`;
const microphone = svg`<rect x="9" y="2.8" width="6" height="11.4" rx="3"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3.2"/>`;
const camera = svg`<rect x="2.8" y="6" width="12.4" height="12" rx="2.6"/><path d="m15.2 10.6 6-3.3v9.4l-6-3.3"/>`;

export const icons = {
  mic: icon(microphone),
  micOff: icon(svg`${microphone}${slash}`),
  camera: icon(camera),
  cameraOff: icon(svg`${camera}${slash}`),
  share: icon(
    svg`<rect x="2.8" y="4" width="18.4" height="13" rx="2"/><path d="M8.5 21h7M12 13.8V7.6M9.2 10.2 12 7.4l2.8 2.8"/>`,
  ),
  exam: icon(
    svg`<circle cx="10" cy="10" r="6.6"/><path d="m15 15 6 6M10 7.300v5.400M7.300 10h5.400"/>`,
  ),
  settings: icon(
    svg`<path d="M3.5 7h9M17.5 7h3M3.5 17h3M11.5 17h9"/><circle cx="15" cy="7" r="2.4"/><circle cx="9" cy="17" r="2.4"/>`,
  ),
  leave: icon(
    svg`<path d="M3 14.6c0-1 .5-2.4 1.7-3.200C6.9 9.9 9.4 9.3 12 9.300s5.1.6 7.3 2.100c1.2.8 1.7 2.2 1.7 3.2 0 .9-.7 1.5-1.6 1.300l-2.7-.6c-.7-.2-1.2-.7-1.2-1.400v-1.400a12 12 0 0 0-7 0v1.400c0 .7-.5 1.2-1.2 1.400l-2.7.6c-.9.2-1.6-.4-1.6-1.300Z"/>`,
  ),
  end: icon(svg`<circle cx="12" cy="12" r="9"/><path d="m8.8 8.8 6.4 6.400M15.2 8.800l-6.4 6.4"/>`),
  person: icon(svg`<circle cx="12" cy="8" r="4"/><path d="M4.5 20.500a7.5 7.5 0 0 1 15 0"/>`),
  door: icon(
    svg`<path d="M5 21V4.600c0-.9.7-1.6 1.6-1.600h10.800c.9 0 1.6.7 1.6 1.600V21M3 21h18M14.5 12.500v.1"/>`,
  ),
  alert: icon(
    svg`<path d="M12 8.500v4.500M12 16.400v.1M10.3 3.9 2.6 17.300c-.8 1.3.2 3 1.7 3h15.400c1.5 0 2.5-1.7 1.7-3L13.7 3.900c-.8-1.3-2.6-1.3-3.4 0Z"/>`,
  ),
  check: icon(svg`<circle cx="12" cy="12" r="9"/><path d="m8 12.3 2.7 2.7 5.3-5.6"/>`),
  sound: icon(
    svg`<path d="M4 9.500v5h3.500L12 18.500v-13L7.5 9.500ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.500a7.7 7.7 0 0 1 0 11"/>`,
  ),
  close: icon(svg`<path d="m6 6 12 12M18 6 6 18"/>`),
  people: icon(
    svg`<circle cx="9" cy="8.5" r="3.5"/><path d="M2.5 20a6.5 6.5 0 0 1 13 0M16 5.3a3.5 3.5 0 0 1 0 6.4M18.5 14.5a6.5 6.5 0 0 1 3 5.5"/>`,
  ),
  chat: icon(
    svg`<path d="M4 5.5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-8.5L7 21v-3.5H4a1 1 0 0 1-1-1v-10a1 1 0 0 1 1-1ZM7.5 10h9M7.5 13.3h6"/>`,
  ),
  hand: icon(
    svg`<path d="M8 13V5.5a1.5 1.5 0 0 1 3 0V11M11 11V4a1.5 1.5 0 0 1 3 0v7M14 11V5.5a1.5 1.5 0 0 1 3 0V15a6.5 6.5 0 0 1-6.5 6.5c-3 0-4.5-1.5-6-4l-2-3.6a1.5 1.5 0 0 1 2.6-1.5L8 16"/>`,
  ),
  languages: icon(
    svg`<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c3 3 3.5 6 3.5 9s-.5 6-3.5 9c-3-3-3.5-6-3.5-9S9 6 12 3Z"/>`,
  ),
  invite: icon(
    svg`<circle cx="9.5" cy="8" r="4"/><path d="M2.5 20.5a7 7 0 0 1 14 0M19 8v6M16 11h6"/>`,
  ),
  more: icon(svg`<path d="M5 12v.1M12 12v.1M19 12v.1" stroke-width="3.4"/>`),
  pause: icon(svg`<circle cx="12" cy="12" r="9"/><path d="M9.7 8.8v6.4M14.3 8.8v6.4"/>`),
  lock: icon(
    svg`<rect x="5" y="10.5" width="14" height="10" rx="2.200"/><path d="M8 10.5V7.5a4 4 0 0 1 8 0v3"/>`,
  ),
  send: icon(svg`<path d="M4 12 3.5 4.5 21 12 3.5 19.5 4 12h8"/>`),
  clock: icon(svg`<circle cx="12" cy="12" r="9"/><path d="M12 7v5.3l3.5 2"/>`),
  call: icon(
    svg`<path d="M6 3.5h3l1.5 4-2 1.500a11 11 0 0 0 6.500 6.500l1.500-2 4 1.500v3a2 2 0 0 1-2.200 2A16.500 16.500 0 0 1 4 5.700a2 2 0 0 1 2-2.200Z"/>`,
  ),
  turn: icon(svg`<path d="M4 9h14l-4-4M20 15H6l4 4"/>`),
};
export type IconName = keyof typeof icons;

/** Three bars, of which `level` are filled. */
export const qualityBars = (level: number): TemplateResult =>
  html`<svg viewBox="0 0 16 14" width="16" height="14" aria-hidden="true" focusable="false">${[
    1, 2, 3,
  ].map(
    (bar) =>
      svg`<rect class=${bar <= level ? 'bar on' : 'bar'} x=${(bar - 1) * 5.5 + 0.5} y=${12 - bar * 3.7} width="3.8" height=${bar * 3.7 + 1} rx="1.2"/>`,
  )}</svg>`;
