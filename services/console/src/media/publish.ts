import { type Connection, type Flow, tended } from './connection'
import { type Endpoint, Resource } from './resource'

/** How the own media is sent. */
export interface Publishing {
  readonly endpoint: Endpoint
  readonly iceServers: RTCIceServer[]
  /** Bits per second that the server lets through; 0 if it says nothing. */
  readonly maxVideoBitrate: number
}

/** Own media, on its way. */
export interface Publication extends Connection {
  /** Send this track from now on, or nothing: nothing is a gap in the recording, and not a black picture. */
  send(kind: 'audio' | 'video', track: MediaStreamTrack | null): Promise<void>
}

/** Publish by WHIP (RFC 9725). Throws ApiError. `muted` kinds are negotiated but not sent. */
export async function publish(
  stream: MediaStream,
  muted: ReadonlySet<'audio' | 'video'>,
  how: Publishing,
  tell: (flow: Flow) => void,
): Promise<Publication> {
  const peer = new RTCPeerConnection({ iceServers: how.iceServers, bundlePolicy: 'max-bundle' })
  try {
    const senders = addTracks(peer, stream, muted, how.maxVideoBitrate)
    const offer = await peer.createOffer()
    const [resource, answer] = await createResource(peer, how.endpoint, offer)
    const connection = tended(peer, resource, tell)
    await peer.setRemoteDescription({ type: 'answer', sdp: answer })
    await limit(senders.video, how.maxVideoBitrate)
    const send = (kind: 'audio' | 'video', track: MediaStreamTrack | null): Promise<void> =>
      senders[kind].replaceTrack(track)
    return { ...connection, send }
  } catch (thrown) {
    peer.close()
    throw thrown
  }
}

/** The offer goes out before candidates are gathered; they follow by PATCH. */
async function createResource(
  peer: RTCPeerConnection,
  endpoint: Endpoint,
  offer: RTCSessionDescriptionInit,
): Promise<[Resource, string]> {
  const created = await Resource.create(peer, endpoint, offer.sdp ?? '')
  created[0].trickle()
  await peer.setLocalDescription(offer)
  return created
}

function addTracks(
  peer: RTCPeerConnection,
  stream: MediaStream,
  muted: ReadonlySet<'audio' | 'video'>,
  maxVideoBitrate: number,
): Record<'audio' | 'video', RTCRtpSender> {
  const audio = peer.addTransceiver('audio', { direction: 'sendonly', streams: [stream] })
  const video = peer.addTransceiver('video', {
    direction: 'sendonly',
    streams: [stream],
    sendEncodings: maxVideoBitrate > 0 ? [{ maxBitrate: maxVideoBitrate }] : [{}],
  })
  preferH264(video)
  const own = { audio: stream.getAudioTracks()[0] ?? null, video: stream.getVideoTracks()[0] ?? null }
  for (const [kind, transceiver] of [['audio', audio] as const, ['video', video] as const]) {
    if (!muted.has(kind)) void transceiver.sender.replaceTrack(own[kind])
  }
  return { audio: audio.sender, video: video.sender }
}

/** Constrained baseline, packetization mode 1: what is recorded as it is and plays everywhere. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpSender.getCapabilities?.('video')?.codecs ?? []
  const h264 = codecs.filter((codec) => codec.mimeType.toLowerCase() === 'video/h264')
  const rank = (codec: RTCRtpCodec): number => {
    const line = codec.sdpFmtpLine ?? ''
    return (line.includes('packetization-mode=1') ? 0 : 2) + (/profile-level-id=42e0/i.test(line) ? 0 : 1)
  }
  h264.sort((a, b) => rank(a) - rank(b))
  const helpers = codecs.filter((codec) => /rtx|red|ulpfec/i.test(codec.mimeType))
  if (h264.length > 0 && 'setCodecPreferences' in transceiver) transceiver.setCodecPreferences([...h264, ...helpers])
}

/** A weak network takes frames before sharpness: a face or a document that cannot be made out is worth nothing. */
async function limit(sender: RTCRtpSender, maxBitrate: number): Promise<void> {
  const parameters = sender.getParameters()
  parameters.degradationPreference = 'maintain-resolution'
  for (const encoding of parameters.encodings) {
    if (maxBitrate > 0) encoding.maxBitrate = maxBitrate
  }
  // Old browsers know fewer parameters; the server caps the bitrate anyway.
  await sender.setParameters(parameters).catch(() => undefined)
}
