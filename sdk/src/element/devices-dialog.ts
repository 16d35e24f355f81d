import { html, nothing, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import type { TextKey } from '../texts/index.ts';
import type { DeviceKind, ExamCameraOptions, VisitApi } from '../types.ts';
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

/** One's own, and another one for an exam. */
const CAMERAS_FOR_EXAM = 2;

/** Whether there is an exam camera to be turned on, or off. */
export const hasExamCamera = (
  { localParticipant: { grants, tracks } }: VisitApi,
  { videoinput }: DeviceLists,
): boolean =>
  grants.has('publish-exam') && (tracks.has('exam') || videoinput.length >= CAMERAS_FOR_EXAM);

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
  ).map((kind) =>
    deviceSelect(view, {
      name: kind,
      label: t(KIND_TEXT[kind]),
      list: devices[kind],
      active: visit.activeDevice(kind),
      unknown: t('deviceDefault'),
      choose: (deviceId) => choose(kind, deviceId),
    }),
  )}`;
}

interface DeviceSelect {
  name: string;
  label: string;
  list: readonly MediaDeviceInfo[];
  active: string | undefined;
  /** What stands there while it is not known which. */
  unknown: string;
  choose(deviceId: string): void;
}

function deviceSelect(
  { t }: View,
  { name, label, list, active, unknown, choose }: DeviceSelect,
): TemplateResult {
  const known = list.some((device) => device.deviceId === active);
  return html`<label class="field" data-device=${name}>
    <span>${label}</span>
    <select
      part="select"
      ?disabled=${list.length === 0}
      @change=${(event: Event) => choose((event.target as HTMLSelectElement).value)}
    >
      ${known ? nothing : html`<option value="" selected disabled>${list.length === 0 ? t('deviceNone') : unknown}</option>`}
      ${list.map(
        (device, index) =>
          html`<option value=${device.deviceId} .selected=${live(device.deviceId === active)}>
            ${device.label || t('deviceNumber', { kind: label, number: String(index + 1) })}
          </option>`,
      )}
    </select>
  </label>`;
}

/** Which camera shows what is examined, and what counts most in its picture. */
function examChoice(
  view: View,
  { devices, examine }: Pick<DevicesDialogOptions, 'devices' | 'examine'>,
): TemplateResult {
  const { visit, t } = view;
  const { deviceId, hint } = visit.localParticipant.examCamera;
  return html`${deviceSelect(view, {
    name: 'exam',
    label: t('deviceExam'),
    list: devices.videoinput,
    active: deviceId,
    unknown: t('examDefault'),
    choose: (deviceId) => examine({ deviceId }),
  })}
  ${checkbox(t('examDetail'), t('examDetailHint'), hint === 'detail', (detail) => examine({ hint: detail ? 'detail' : 'motion' }))}`;
}

const checkbox = (
  label: string,
  hint: string,
  checked: boolean,
  set: (on: boolean) => void,
): TemplateResult => html`<label class="check">
  <input
    type="checkbox"
    .checked=${live(checked)}
    @change=${(event: Event) => set((event.target as HTMLInputElement).checked)}
  />
  <span><b>${label}</b><small>${hint}</small></span>
</label>`;

export interface DevicesDialogOptions {
  devices: DeviceLists;
  choose: ChooseDevice;
  examine(options: ExamCameraOptions): void;
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
      ${hasExamCamera(view.visit, options.devices) ? examChoice(view, options) : nothing}
      ${checkbox(t('shortcuts'), t('shortcutsHint'), options.shortcuts, options.setShortcuts)}
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
