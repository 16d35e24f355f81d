import { html, nothing, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import type { TextKey } from '../texts/index.ts';
import type { DeviceKind, VisitApi } from '../types.ts';
import { confirmDialog, dialog } from './dialog.ts';
import type { View } from './view.ts';

export type DeviceLists = Readonly<Record<DeviceKind, readonly MediaDeviceInfo[]>>;
export const NO_DEVICES: DeviceLists = { videoinput: [], audioinput: [], audiooutput: [] };

const KINDS = ['videoinput', 'audioinput', 'audiooutput'] as const satisfies DeviceKind[];
const KIND_TEXT = {
  videoinput: 'deviceCamera',
  audioinput: 'deviceMicrophone',
  audiooutput: 'deviceSpeaker',
} as const satisfies Record<DeviceKind, TextKey>;

/** All three lists; a list that can not be had is empty. */
export async function listDevices(visit: VisitApi): Promise<DeviceLists> {
  const [videoinput, audioinput, audiooutput] = await Promise.all(
    KINDS.map((kind) => visit.getDevices(kind).catch(() => [])),
  );
  return {
    videoinput: videoinput ?? [],
    audioinput: audioinput ?? [],
    audiooutput: audiooutput ?? [],
  };
}

/** What the person may send; devices for the rest are not asked for. */
export interface MaySend {
  camera: boolean;
  microphone: boolean;
}
export type ChooseDevice = (kind: DeviceKind, deviceId: string) => void;

/** A select for each kind that is of use. Browsers that can not choose a speaker list none: then there is no select for it. */
export function deviceSelects(
  view: View,
  devices: DeviceLists,
  choose: ChooseDevice,
  may: MaySend,
): TemplateResult {
  const { visit, t } = view;
  return html`${KINDS.filter(
    (kind) =>
      ({
        videoinput: may.camera,
        audioinput: may.microphone,
        audiooutput: devices.audiooutput.length > 0,
      })[kind],
  ).map((kind) => {
    const list = devices[kind];
    const active = visit.activeDevice(kind);
    const known = list.some((device) => device.deviceId === active);
    return html`<label class="field" data-device=${kind}>
      <span>${t(KIND_TEXT[kind])}</span>
      <select
        part="select"
        ?disabled=${list.length === 0}
        @change=${(event: Event) => choose(kind, (event.target as HTMLSelectElement).value)}
      >
        ${known ? nothing : html`<option value="" selected disabled>${t(list.length === 0 ? 'deviceNone' : 'deviceDefault')}</option>`}
        ${list.map(
          (device, index) =>
            html`<option value=${device.deviceId} .selected=${live(device.deviceId === active)}>
              ${device.label || t('deviceNumber', { kind: t(KIND_TEXT[kind]), number: String(index + 1) })}
            </option>`,
        )}
      </select>
    </label>`;
  })}`;
}

export interface DevicesDialogOptions {
  devices: DeviceLists;
  choose: ChooseDevice;
  shortcuts: boolean;
  setShortcuts(on: boolean): void;
}

export function devicesDialog(view: View, options: DevicesDialogOptions): TemplateResult {
  const { t } = view;
  const { grants } = view.visit.localParticipant;
  const may = { camera: grants.has('publish-video'), microphone: grants.has('publish-audio') };
  return dialog(
    view,
    'devices',
    t('devices'),
    html`${deviceSelects(view, options.devices, options.choose, may)}
      <label class="check">
        <input
          type="checkbox"
          .checked=${options.shortcuts}
          @change=${(event: Event) => options.setShortcuts((event.target as HTMLInputElement).checked)}
        />
        <span><b>${t('shortcuts')}</b><small>${t('shortcutsHint')}</small></span>
      </label>
      <footer><button type="submit" class="primary" part="primary-button">${t('done')}</button></footer>`,
  );
}

/** Asks before a visit ends for everybody. */
export const endDialog = ({ t }: View, actions: { end(): void; leave(): void }): TemplateResult =>
  confirmDialog('end', t('endConfirm'), t('endConfirmHint'), [
    { action: 'cancel-end', label: t('cancel') },
    { action: 'leave-instead', label: t('leave'), onClick: actions.leave },
    { action: 'confirm-end', label: t('endNow'), danger: true, onClick: actions.end },
  ]);
