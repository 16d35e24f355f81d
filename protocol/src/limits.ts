/** The bounds of every message and of what one participant or visit may hold. */
export const LIMITS = {
  /** Bytes of one Socket.IO packet from a client. A `join` of a browser with all codecs is about 12 KB. */
  clientMessageBytes: 64 * 1024,
  /** Bytes of one packet on the control link; it carries a plan for a whole visit. */
  controlMessageBytes: 1024 * 1024,
  /** Characters of an opaque id (visit, participant, request). */
  idLength: 128,
  /** Characters of a name that other participants see. */
  nameLength: 80,
  /** Characters of a token. */
  tokenLength: 4096,
  /** Participants of one visit that are not gone. */
  participantsPerVisit: 64,
  /** Open producers of one participant: camera, microphone, screen with sound, exam camera and room for more. */
  producersPerParticipant: 8,
  /** Consumers of one participant. */
  consumersPerParticipant: 512,
  /** Codecs in RTP capabilities or parameters (a browser lists fewer than 40 with its RTX pairs). */
  codecs: 64,
  /** Header extensions in RTP capabilities or parameters. */
  headerExtensions: 64,
  /** Encodings of one producer. */
  encodings: 8,
  /** Requests of one session whose answers are remembered, so that a repeat is answered alike. */
  rememberedRequests: 64,
} as const;
