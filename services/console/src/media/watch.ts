import { type Connection, type Flow, tended } from './connection'
import { type Endpoint, Resource } from './resource'

/** Another participant's media. */
export interface Watching extends Connection {
  readonly stream: MediaStream
}

/** Watch by WHEP, in the form where the server makes the offer. Throws ApiError. */
export async function watch(
  endpoint: Endpoint,
  iceServers: RTCIceServer[],
  tell: (flow: Flow) => void,
): Promise<Watching> {
  const peer = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' })
  const stream = new MediaStream()
  peer.addEventListener('track', ({ track }) => stream.addTrack(track))
  try {
    const [resource, offer] = await Resource.create(peer, endpoint, '')
    const connection = tended(peer, resource, tell)
    await peer.setRemoteDescription({ type: 'offer', sdp: offer })
    const answer = await peer.createAnswer()
    resource.trickle()
    await peer.setLocalDescription(answer)
    await resource.answer(answer.sdp ?? '')
    return { ...connection, stream }
  } catch (thrown) {
    peer.close()
    throw thrown
  }
}
