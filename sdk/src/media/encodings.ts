import type { MediaSource } from '@bedside/protocol';
import type { types } from 'mediasoup-client';

/**
 * How each source is sent. Three layers of VP8 with three frame rates each serve every tile from a
 * thumbnail to a wall, and every browser; a shared screen is text first, so it has one sharp layer. What
 * an exam camera shows is whole, or of 480 lines: never less, and never at half the rate.
 * @param picture Size of the picture as it is captured.
 */
export function sendOptions(
  source: MediaSource,
  codecs: readonly types.RtpCodecCapability[],
  picture: { width?: number; height?: number } = {},
): types.ProducerOptions {
  const vp8 = codecs.find((codec) => codec.mimeType.toLowerCase() === 'video/vp8');
  const codec = vp8 ? { codec: vp8 } : {};
  switch (source) {
    case 'camera':
      return {
        ...codec,
        encodings: [
          { scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: 'L1T3' },
          { scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: 'L1T3' },
          { scaleResolutionDownBy: 1, maxBitrate: 1_500_000, scalabilityMode: 'L1T3' },
        ],
        // Chromium starts at 300 kbit/s otherwise, and sends only the smallest layer for seconds.
        codecOptions: { videoGoogleStartBitrate: 1_000 },
      };
    case 'screen':
      return { ...codec, encodings: [{ maxBitrate: 2_500_000 }] };
    case 'exam': {
      const { width = 1280, height = 720 } = picture;
      const lines = Math.min(width, height);
      const whole = { scaleResolutionDownBy: 1, maxBitrate: 3_000_000, scalabilityMode: 'L1T1' };
      const least = { ...whole, scaleResolutionDownBy: lines / EXAM_LINES, maxBitrate: 900_000 };
      return {
        ...codec,
        encodings: lines > EXAM_LINES ? [least, whole] : [whole],
        codecOptions: { videoGoogleStartBitrate: 1_500 },
      };
    }
    case 'microphone':
      return { codecOptions: { opusDtx: true, opusFec: true, opusNack: true } };
    case 'screen-audio':
      return { codecOptions: { opusStereo: true, opusFec: true } };
  }
}

/** VGA: the least that a clinical picture needs. */
const EXAM_LINES = 480;

/** Width of the layers of a 1280 pixel camera, but the whole. */
const LAYER_WIDTHS = [320, 640];
const EXAM_LAYER_WIDTHS = [853];
/** The layer of the whole picture. */
export const FULL_LAYER = LAYER_WIDTHS.length;
/** A layer is still good where it has this share of the pixels across. */
const GOOD_ENOUGH = 0.8;

/** The smallest simulcast layer that looks sharp at this size (CSS pixels, any aspect ratio: the picture fills it). */
export function layerForSize(
  width: number,
  height: number,
  pixelRatio: number,
  source: 'camera' | 'exam' = 'camera',
): number {
  const needed = Math.max(width, (height * 16) / 9) * pixelRatio * GOOD_ENOUGH;
  const widths = source === 'exam' ? EXAM_LAYER_WIDTHS : LAYER_WIDTHS;
  const layer = widths.findIndex((pixels) => pixels >= needed);
  return layer === -1 ? FULL_LAYER : layer;
}
