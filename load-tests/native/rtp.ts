/** Fields of an RTP packet that a load client reads. */
export interface RtpPacket {
  payloadType: number;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  payload: Buffer;
}

const HEADER_BYTES = 12;

/** RTCP shares the port: its packet types 192 to 223 are what an RTP packet can not start with (RFC 5761). */
export const isRtcp = (packet: Buffer): boolean => {
  const type = packet[1] ?? 0;
  return type >= 192 && type <= 223;
};

const PAYLOAD_FEEDBACK = 206;
const PLI = 1;
const FIR = 4;

/** Whether an RTCP packet, which may be several in one, asks for a key frame (RFC 4585, RFC 5104). */
export function asksForKeyFrame(packet: Buffer): boolean {
  for (let start = 0; start + 4 <= packet.length; ) {
    const format = packet.readUInt8(start) & 0x1f;
    if (packet[start + 1] === PAYLOAD_FEEDBACK && (format === PLI || format === FIR)) return true;
    start += 4 * (packet.readUInt16BE(start + 2) + 1);
  }
  return false;
}

/** A packet as it goes on the wire, without extensions. */
export function writeRtp({
  payloadType,
  sequenceNumber,
  timestamp,
  ssrc,
  payload,
}: RtpPacket): Buffer {
  const packet = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  packet[0] = 0x80;
  packet[1] = payloadType & 0x7f;
  packet.writeUInt16BE(sequenceNumber & 0xffff, 2);
  packet.writeUInt32BE(timestamp >>> 0, 4);
  packet.writeUInt32BE(ssrc >>> 0, 8);
  payload.copy(packet, HEADER_BYTES);
  return packet;
}

/** The packet, or undefined where this is no RTP. Padding is left in the payload. */
export function readRtp(packet: Buffer): RtpPacket | undefined {
  if (packet.length < HEADER_BYTES || packet.readUInt8(0) >> 6 !== 2 || isRtcp(packet))
    return undefined;
  const first = packet.readUInt8(0);
  let start = HEADER_BYTES + 4 * (first & 0x0f);
  if (first & 0x10) {
    if (packet.length < start + 4) return undefined;
    start += 4 + 4 * packet.readUInt16BE(start + 2);
  }
  if (packet.length < start) return undefined;
  return {
    payloadType: packet.readUInt8(1) & 0x7f,
    sequenceNumber: packet.readUInt16BE(2),
    timestamp: packet.readUInt32BE(4),
    ssrc: packet.readUInt32BE(8),
    payload: packet.subarray(start),
  };
}
