import { html, nothing, type TemplateResult } from 'lit';
import { given } from './act.ts';
import { dialog } from './dialog.ts';
import type { Size } from './layout.ts';
import { handsRaised, waiting } from './people.ts';
import type { PanelName } from './side-panel.ts';
import { cameraTool, microphoneTool, type ToolOptions, toolButton } from './tool-button.ts';
import type { View } from './view.ts';

export interface ToolbarActions {
  toggleMicrophone(): void;
  toggleCamera(): void;
  toggleScreen(): void;
  toggleExam(): void;
  togglePanel(name: PanelName): void;
  leave(): void;
}

export interface ToolbarState {
  shortcuts: boolean;
  /** There is an exam camera to be turned on. */
  examCamera: boolean;
  /** Which panel is open. */
  panel: PanelName | undefined;
  /** Messages that were not seen. */
  unread: number;
  /** How many controls there is room for. */
  room: number;
}

/** A control with its place in the order in which they give way where there is no room for all. */
export type RankedTool = ToolOptions & { rank: number };

/** How many controls fit. `em`: the size of the text in pixels. Beside the pictures on a phone on its side, below them else. */
export function roomFor({ width, height }: Size, em: number): number {
  if (height <= 480 && width >= 560) return Math.floor(height / 48);
  // Without their names, which need room, where the text is large for the screen.
  if (width < 18.5 * em) return Math.max(4, Math.floor(width / 46));
  const tight = Math.min(7, Math.floor(width / (3.25 * em)));
  return Math.max(tight, Math.floor(width / (4.25 * em)));
}

/** What is shown, and what goes behind `more`: the ones with the highest rank, as many as needed. */
export function split<Tool extends { rank: number }>(
  tools: readonly Tool[],
  room: number,
): readonly [shown: Tool[], more: Tool[]] {
  if (tools.length <= room) return [[...tools], []];
  // One place is for the control that shows the others.
  const kept = new Set([...tools].sort((a, b) => a.rank - b.rank).slice(0, Math.max(0, room - 1)));
  return [tools.filter((tool) => kept.has(tool)), tools.filter((tool) => !kept.has(tool))];
}

export function toolbar(view: View, actions: ToolbarActions, state: ToolbarState): TemplateResult {
  const { t, host } = view;
  const [shown, more] = split(toolsOf(view, actions, state), state.room);
  const moreTool: ToolOptions = {
    action: 'more',
    icon: 'more',
    label: t('more'),
    title: t('more'),
    badge: more.reduce((sum, { badge = 0 }) => sum + badge, 0),
    onClick: () => host.open('more'),
  };
  // To end and to leave stay outermost.
  const last = shown.findIndex(({ action }) => action === 'end' || action === 'leave');
  const tools = more.length > 0 ? shown.toSpliced(last, 0, { ...moreTool, rank: 0 }) : shown;
  return html`<div class="toolbar" part="toolbar" role="group" aria-label=${t('controls')}>
      ${tools.map(toolButton)}
    </div>
    ${
      more.length > 0
        ? dialog(
            view,
            'more',
            t('more'),
            html`<div class="menu" @click=${{
              // Closed before another dialog opens: it gives the focus back then.
              handleEvent: ({ currentTarget }: Event) =>
                (currentTarget as Element).closest('dialog')?.close(),
              capture: true,
            }}>${more.map(toolButton)}</div>`,
          )
        : nothing
    }`;
}

/** What this person may do, in the order in which it is shown. */
function toolsOf(view: View, actions: ToolbarActions, state: ToolbarState): RankedTool[] {
  const { visit, t, host } = view;
  const { localParticipant: self } = visit;
  const { grants } = self;
  const key = (name: string): string | undefined => (state.shortcuts ? name : undefined);
  const raised = self.handRaisedAt !== undefined;
  const attention = grants.has('admit') ? waiting(visit).length + handsRaised(visit).length : 0;
  const writes = grants.has('chat') || grants.has('caption') || visit.messages.length > 0;
  const tools: (RankedTool | false)[] = [
    grants.has('publish-audio') && { ...microphoneTool(view, actions), key: key('M'), rank: 0 },
    grants.has('publish-video') && { ...cameraTool(view, actions), key: key('V'), rank: 1 },
    grants.has('publish-screen') &&
      canShareScreen() && {
        action: 'screen',
        icon: 'share',
        label: t('share'),
        title: t('shareTitle'),
        pressed: self.isScreenShareEnabled,
        rank: 8,
        onClick: actions.toggleScreen,
      },
    state.examCamera && {
      action: 'exam',
      icon: 'exam',
      label: t('exam'),
      title: t('examTitle'),
      pressed: self.tracks.has('exam'),
      rank: 3,
      onClick: actions.toggleExam,
    },
    {
      action: 'hand',
      icon: 'hand',
      label: t('hand'),
      title: t('handTitle'),
      pressed: raised,
      rank: 5,
      onClick: () => host.run(visit.raiseHand(!raised)),
    },
    {
      action: 'people',
      icon: 'people',
      label: t('peopleShort'),
      title: t('people'),
      expanded: state.panel === 'people',
      badge: attention,
      rank: 3,
      onClick: () => actions.togglePanel('people'),
    },
    writes && {
      action: 'chat',
      icon: 'chat',
      label: t('chatShort'),
      title: t('chat'),
      expanded: state.panel === 'chat',
      badge: state.unread,
      rank: 4,
      onClick: () => actions.togglePanel('chat'),
    },
    grants.has('invite') && {
      action: 'invite',
      icon: 'invite',
      label: t('invite'),
      title: t('invite'),
      rank: 7,
      onClick: () => host.open('invite'),
    },
    grants.has('invite') && {
      action: 'call',
      icon: 'call',
      label: t('callShort'),
      title: t('callTitle'),
      rank: 6,
      onClick: () => host.open('call'),
    },
    {
      action: 'languages',
      icon: 'languages',
      label: t('languages'),
      title: t('languages'),
      rank: 6,
      onClick: () => host.open('languages'),
    },
    {
      action: 'devices',
      icon: 'settings',
      label: t('settings'),
      title: t('settingsTitle'),
      rank: 9,
      onClick: () => host.open('devices'),
    },
    grants.has('end') && {
      action: 'end',
      icon: 'end',
      label: t('end'),
      title: t('endTitle'),
      rank: 5,
      onClick: () => host.open('end'),
    },
    {
      action: 'leave',
      icon: 'leave',
      label: t('leave'),
      title: t('leaveTitle'),
      rank: 2,
      onClick: actions.leave,
    },
  ];
  return given(tools);
}

/** Phones have no screen to share. */
const canShareScreen = (): boolean => typeof navigator.mediaDevices?.getDisplayMedia === 'function';
