/** Drawn people in drawn rooms, 1280 by 720, as SVG: what the cameras of the README's picture see. */
import type { Role } from '@bedside/protocol';

interface Person {
  room: keyof typeof rooms;
  /** Colours: of the wall from light to dark, of the skin in light and shade, of hair and brows. */
  wall: [string, string];
  skin: string;
  shade: string;
  hair: string;
  brows: string;
  style: keyof typeof hairs;
  wear: keyof typeof clothes;
  glasses?: boolean;
  signs?: boolean;
}

const gradient = (id: string, from: string, to: string): string =>
  `<linearGradient id="${id}" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient>`;
const rooms = {
  office: `<rect width="1280" height="720" fill="url(#wall)"/>
    <rect x="60" y="40" width="330" height="400" rx="6" fill="#eef6fa"/><rect x="76" y="56" width="298" height="368" fill="#cfe6f2"/>
    <path d="M76 300 Q160 230 230 300 T374 270 V424 H76Z" fill="#a8cdb0"/><path d="M225 56V424M76 240H374" stroke="#eef6fa" stroke-width="12"/>
    <rect x="930" y="90" width="150" height="110" fill="#fff" stroke="#8b6b4c" stroke-width="10"/><path d="M955 125h100M955 145h100M955 165h60" stroke="#c9c2b8" stroke-width="6"/>
    <path d="M1130 720c-10-120 0-190 20-240" stroke="#4b7a56" stroke-width="10" fill="none"/><g fill="#5f9a6b"><ellipse cx="1115" cy="520" rx="62" ry="26" transform="rotate(35 1115 520)"/><ellipse cx="1195" cy="470" rx="66" ry="26" transform="rotate(-38 1195 470)"/><ellipse cx="1090" cy="440" rx="60" ry="24" transform="rotate(50 1090 440)"/><ellipse cx="1170" cy="400" rx="60" ry="24" transform="rotate(-60 1170 400)"/></g>`,
  home: `<rect width="1280" height="720" fill="url(#wall)"/>
    <rect x="820" y="70" width="190" height="150" fill="#f6efe4" stroke="#7d5b41" stroke-width="9"/><path d="M826 200l60-70 50 50 30-30 42 50z" fill="#d9a877"/><circle cx="965" cy="115" r="18" fill="#f2cf7e"/>
    <path d="M150 720V300" stroke="#6b5340" stroke-width="14"/><path d="M70 300l40-150h90l40 150z" fill="#fbe6b4"/>
    <rect x="0" y="520" width="420" height="260" rx="50" fill="#b9745c"/><rect x="880" y="520" width="460" height="260" rx="50" fill="#b9745c"/>`,
  studio: `<rect width="1280" height="720" fill="url(#wall)"/><circle cx="640" cy="330" r="520" fill="#fff" opacity=".10"/>`,
  ward: `<rect width="1280" height="720" fill="url(#wall)"/>
    <rect x="70" y="60" width="300" height="230" rx="8" fill="#20313c"/><g stroke="#bfe0f0" stroke-width="9" fill="none" opacity=".8"><path d="M220 90v170M220 110c-60 0-95 30-95 120M220 110c60 0 95 30 95 120M220 140c-45 0-70 22-70 100M220 140c45 0 70 22 70 100"/></g>
    <rect x="900" y="0" width="320" height="330" fill="#e9eef0"/><path d="M1060 0v330" stroke="#c5d0d4" stroke-width="6"/><path d="M1035 190v60M1085 190v60" stroke="#9aa9b0" stroke-width="10"/>
    <rect x="880" y="330" width="360" height="18" fill="#c5d0d4"/><rect x="940" y="270" width="70" height="60" rx="6" fill="#7fb3c8"/>`,
};
const hairs = {
  bob: (c: string) => [
    `<path d="M505 330c-22-150 48-232 135-232s157 82 135 232c-4 62-10 108-34 126l-24-190H563l-24 190c-24-18-30-64-34-126z" fill="${c}"/>`,
    `<path d="M532 268c14-88 60-118 122-118 58 0 86 38 96 118-40-16-70-48-82-78-26 44-82 70-136 78z" fill="${c}"/>`,
  ],
  short: (c: string) => [
    `<path d="M532 300c-22-120 26-196 108-196s130 76 108 196z" fill="${c}"/>`,
    `<path d="M534 288c-2-70 20-128 70-140 60-16 118 6 138 58 8 26 8 54 4 82-14-34-26-56-38-68-48 16-110 14-148-4-12 18-20 42-26 72z" fill="${c}"/>`,
  ],
  bun: (c: string) => [
    `<circle cx="640" cy="98" r="56" fill="${c}"/><path d="M528 320c-22-140 30-212 112-212s134 72 112 212z" fill="${c}"/>`,
    `<path d="M534 290c4-84 44-136 106-136s102 52 106 136c-26-60-60-92-106-92s-80 32-106 92z" fill="${c}"/>`,
  ],
  grey: (c: string) => [
    `<path d="M528 330c-24-150 30-222 112-222s136 72 112 222l-14 40H542z" fill="${c}"/>`,
    `<path d="M536 262c20-76 52-104 104-104s84 28 104 104c-30-34-64-48-104-48s-74 14-104 48z" fill="${c}"/>`,
  ],
};
const clothes = {
  coat: `<path d="M250 720c6-150 120-206 300-236h180c180 30 294 86 300 236z" fill="#f7f9fa"/><path d="M560 486l80 150 80-150z" fill="#5b93a8"/><path d="M556 484l-70 40 60 70-20 126h60l40-90zM724 484l70 40-60 70 20 126h-60l-40-90z" fill="#e6ecef"/><path d="M560 500c-40 90-30 150 10 180M722 500c34 70 36 110 16 150" stroke="#33414a" stroke-width="12" fill="none" stroke-linecap="round"/><circle cx="738" cy="662" r="20" fill="#8f9aa1"/><rect x="800" y="600" width="92" height="70" rx="8" fill="#fff" stroke="#cfd8dc" stroke-width="4"/><path d="M816 622h60M816 642h40" stroke="#9fb2bb" stroke-width="7"/>`,
  sweater: `<path d="M270 720c10-150 120-204 290-230h160c170 26 280 80 290 230z" fill="#7c5a86"/><path d="M560 490c20 50 140 50 160 0l14 12c-20 72-168 72-188 0z" fill="#674a70"/>`,
  shirt: `<path d="M270 720c10-150 120-204 290-230h160c170 26 280 80 290 230z" fill="#2f3e57"/><path d="M562 486l78 84 78-84 24 14-66 110-36-40-36 40-66-110z" fill="#3d4f6c"/>`,
  scrubs: `<path d="M270 720c10-150 120-204 290-230h160c170 26 280 80 290 230z" fill="#3f8f86"/><path d="M566 486l74 120 74-120z" fill="url(#skin)"/><path d="M562 484l78 136 78-136 20 10-98 172-98-172z" fill="#357a73"/>`,
};
const hands = (skin: string): string =>
  `<g fill="${skin}"><path d="M330 720c-8-90 0-150 18-196l14-74c4-18 28-16 28 4l-2 50 20-84c5-18 30-12 27 6l-14 84 34-74c8-16 31-6 25 12l-28 82 32-40c12-14 30-2 22 14-20 44-44 92-74 120-8 34-10 62-6 96z"/><path d="M952 720c6-70-2-112-14-150-28-24-50-70-66-112-6-17 13-28 24-14l30 40-22-84c-5-18 18-27 26-11l30 76-8-86c-2-18 23-22 27-4l16 84 4-52c2-19 26-19 28 0l6 76c14 44 20 130 18 237z"/></g><g stroke="#00000022" stroke-width="5" fill="none" stroke-linecap="round"><path d="M388 508l-6 40M424 512l-10 44M458 516l-20 44M930 500l12 44M966 490l8 46M1002 496l2 44"/></g>`;
export function drawn(role: keyof typeof people): string {
  const { room, wall, skin, shade, hair, brows, style, wear, glasses, signs }: Person =
    people[role];
  const [back, front] = hairs[style](hair);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720" viewBox="0 0 1280 720"><defs>${gradient('wall', ...wall)}${gradient('skin', skin, shade)}<filter id="far"><feGaussianBlur stdDeviation="5"/></filter><radialGradient id="light" cx=".35" cy=".2" r="1"><stop offset="0" stop-color="#fff" stop-opacity=".28"/><stop offset=".6" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#001018" stop-opacity=".28"/></radialGradient></defs>
  <g filter="url(#far)">${rooms[room]}</g>
  <g transform="translate(0 34)">${back}
  <path d="M578 380h124v96c0 40-124 40-124 0z" fill="${shade}"/>
  ${clothes[wear]}
  <path d="M578 400c30 50 94 50 124 0v80c-10 34-114 34-124 0z" fill="${shade}" opacity=".9"/>
  <ellipse cx="532" cy="304" rx="20" ry="32" fill="${shade}"/><ellipse cx="748" cy="304" rx="20" ry="32" fill="${shade}"/>
  <path d="M534 270c0-72 44-106 106-106s106 34 106 106c0 98-46 166-106 166s-106-68-106-166z" fill="url(#skin)"/>
  ${front}
  <g stroke="${brows}" stroke-width="9" stroke-linecap="round" fill="none"><path d="M572 258q24-14 46-4M662 254q22-10 46 4"/></g>
  <g fill="#fff"><ellipse cx="596" cy="288" rx="19" ry="12"/><ellipse cx="684" cy="288" rx="19" ry="12"/></g><g fill="#2a211d"><circle cx="597" cy="288" r="9.5"/><circle cx="685" cy="288" r="9.5"/></g><g fill="#fff"><circle cx="600" cy="285" r="3"/><circle cx="688" cy="285" r="3"/></g>
  <path d="M640 292c-4 24-16 42-12 48s18 6 24 2" stroke="#00000030" stroke-width="6" fill="none" stroke-linecap="round"/>
  <path d="M598 372c22 30 62 30 84 0-20 8-64 8-84 0z" fill="#fff"/><path d="M594 370c26 40 66 40 92 0" stroke="#8c3b35" stroke-width="7" fill="none" stroke-linecap="round"/>
  <g fill="#e2725b" opacity=".18"><circle cx="570" cy="338" r="24"/><circle cx="710" cy="338" r="24"/></g>
  ${glasses ? '<g fill="none" stroke="#26323a" stroke-width="7"><rect x="562" y="264" width="66" height="50" rx="20"/><rect x="652" y="264" width="66" height="50" rx="20"/><path d="M628 284q12-8 24 0M562 282l-28-6M718 282l28-6"/></g>' : ''}
  ${signs ? hands(skin) : ''}</g>
  <rect width="1280" height="720" fill="url(#light)"/></svg>`;
}
export const people = {
  provider: {
    room: 'office',
    wall: ['#dfe9ec', '#b6c9cf'],
    skin: '#c98f6a',
    shade: '#ad7350',
    hair: '#2c1f1b',
    style: 'bob',
    wear: 'coat',
    brows: '#3b2a22',
  },
  patient: {
    room: 'home',
    wall: ['#efe3d1', '#d3bd9f'],
    skin: '#e9bd98',
    shade: '#d09f78',
    hair: '#b9b4ae',
    style: 'grey',
    wear: 'sweater',
    glasses: true,
    brows: '#8d8780',
  },
  interpreter: {
    room: 'studio',
    wall: ['#5f7fa3', '#3c597b'],
    skin: '#f0c7a6',
    shade: '#d8a985',
    hair: '#8a5a34',
    style: 'short',
    wear: 'shirt',
    signs: true,
    brows: '#6b4526',
  },
  specialist: {
    room: 'ward',
    wall: ['#d5e4e2', '#a9c4c1'],
    skin: '#7d4f35',
    shade: '#643c27',
    hair: '#15100e',
    style: 'bun',
    wear: 'scrubs',
    brows: '#15100e',
  },
} as const satisfies Partial<Record<Role, Person>>;
