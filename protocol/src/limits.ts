/** The bounds of every message and of what one participant or visit may hold. */
export const LIMITS = {
  /** Bytes of one Socket.IO packet from a client. A `join` of a browser with all codecs is about 12 KB. */
  clientMessageBytes: 64 * 1024,
  /** Bytes of one packet on the control link; it carries a plan for a whole visit. */
  controlMessageBytes: 1024 * 1024,
  /** Characters, base64, of what a node holds of one visit while Redis is away. */
  keptChangesLength: 512 * 1024,
  /** Characters of an opaque id (visit, participant, request). */
  idLength: 128,
  /** Characters of a name that other participants see. */
  nameLength: 80,
  /** Characters of a token. */
  tokenLength: 4096,
  /** Characters of any other text: a MIME type, a URI, a region. */
  textLength: 256,
  /** Participants of one visit that are not gone, a lecture's audience apart. */
  participantsPerVisit: 64,
  /** Of a lecture's audience, those that are not gone. */
  audiencePerVisit: 1_000,
  /** Of a lecture's audience, those that wait or raise their hand and are shown to who may admit: the first. */
  audienceShown: 32,
  /** Participants of one visit that are gone and still listed. */
  departedParticipants: 128,
  /** Open producers of one participant: camera, microphone, screen with sound, exam camera and room for more. */
  producersPerParticipant: 8,
  /** Consumers of one participant. */
  consumersPerParticipant: 512,
  /** Entries of a clinic's queue in one message; a longer queue takes several. */
  queueEntriesPerMessage: 100,
  /** Specialties, languages or regions of one who is on call. */
  skills: 32,
  /** Languages of one participant, spoken or heard. */
  languages: 8,
  /** Characters of a notice to somebody on hold or waiting. */
  noticeLength: 200,
  /** Characters of a chat message or caption. */
  messageLength: 2_000,
  /** Messages that a visit keeps for who reconnects; the oldest go first. */
  messagesPerVisit: 500,
  /** Invitations of one visit that can still be used, and those that were used last. */
  invites: 32,
  /** Calls for somebody on call, under way and last. */
  calls: 8,
  /** Groups that one call rings one after the other. */
  callGroups: 8,
  /** Pictures of signed conversations in one report of their quality. */
  evidence: 64,
  /** Of one page, pictures that a visit keeps the quality of, and measures of them that are bad now. */
  evidencePerViewer: 16,
  /** Of all pages of a visit; of who has most the oldest goes first. */
  evidencePerVisit: 256,
  /** Grants of one participant. */
  grants: 32,
  /** Changes in one `changed`: everybody leaves at once, and the visit ends. */
  changes: 256,
  /** Codecs in RTP capabilities or parameters (a browser lists fewer than 40 with its RTX pairs). */
  codecs: 64,
  /** Header extensions in RTP capabilities or parameters. */
  headerExtensions: 64,
  /** Format parameters of one codec or header extension. */
  codecParameters: 64,
  /** Encodings of one producer. */
  encodings: 8,
  /** Requests of one session whose answers are remembered, so that a repeat is answered alike. */
  rememberedRequests: 64,
  /** Peers of one visit at a node: its participants and audience, and as many again that are about to be closed. */
  peersPerVisit: 2_128,
  /** Producers of one peer at a node: more than a participant may open, as some are about to be closed. */
  producersPerPeer: 32,
  /** Producers of one visit that one node has from another. */
  pipedProducers: 512,
  /** Nodes that carry one visit. */
  nodesPerVisit: 16,
  /** Consumers in one answer that describes a visit: each takes about 1 KB of the control link's message. */
  consumersPerPage: 512,
  /** Workers of one node. */
  workersPerNode: 256,
  /** Visits in one `visits-lost`; a node that lost more says so in several. */
  visitsPerReport: 1024,
} as const;
