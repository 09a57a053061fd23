import { ApiError, fetched } from '../api/errors'
import { fragment, restarted } from './sdp'

const TIMEOUT_MS = 8_000
/** Candidates that come within this time go in one PATCH. */
const TRICKLE_MS = 80

/** What a WHIP or WHEP endpoint needs of its caller. */
export interface Endpoint {
  readonly url: string
  readonly authorization: () => string
}

/** One resource of a WHIP or WHEP server: what POST made (RFC 9725 §4.2). */
export class Resource {
  private etag: string | null
  private waiting: RTCIceCandidate[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private trickles = true

  private constructor(
    private readonly peer: RTCPeerConnection,
    private readonly endpoint: Endpoint,
    private readonly location: string,
    etag: string | null,
  ) {
    this.etag = etag
  }

  /** POST `body`; returns the resource and the description in the answer. Throws ApiError. */
  static async create(peer: RTCPeerConnection, endpoint: Endpoint, body: string): Promise<[Resource, string]> {
    const headers = { 'Content-Type': 'application/sdp', Authorization: endpoint.authorization() }
    const response = await fetched(endpoint.url, { method: 'POST', headers, body }, TIMEOUT_MS)
    const location = response.headers.get('Location')
    if (!location) throw new ApiError('WRONG_ANSWER', false, 'the server named no resource')
    const url = new URL(location, new URL(endpoint.url, window.location.href))
    // A token goes along with each request: never to another origin.
    if (url.origin !== window.location.origin) throw new ApiError('WRONG_ANSWER', false, 'a resource elsewhere')
    return [new Resource(peer, endpoint, url.href, response.headers.get('ETag')), await response.text()]
  }

  /** Send candidates as they are found. A server that does not take them finds the way by the client's own checks. */
  trickle(): void {
    this.peer.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate) this.waiting.push(candidate)
      clearTimeout(this.timer)
      this.timer = setTimeout(() => void this.sendCandidates(candidate === null), TRICKLE_MS)
    })
  }

  /** PATCH the client's answer to a server's offer. */
  async answer(sdp: string): Promise<void> {
    const response = await this.patch('application/sdp', sdp, null)
    this.etag = response.headers.get('ETag') ?? this.etag
  }

  /** Find a new way to the server on the same connection (RFC 9725 §4.3.3). Throws ApiError if there is none. */
  async restart(): Promise<void> {
    const remote = this.peer.remoteDescription?.sdp
    if (!remote || this.peer.remoteDescription?.type !== 'answer') {
      throw new ApiError('RESTART_IMPOSSIBLE', false, 'the server made the offer')
    }
    const offer = await this.peer.createOffer({ iceRestart: true })
    await this.peer.setLocalDescription(offer)
    const response = await this.patch('application/trickle-ice-sdpfrag', fragment(offer.sdp ?? '', [], false), '*')
    this.etag = response.headers.get('ETag') ?? this.etag
    await this.peer.setRemoteDescription({ type: 'answer', sdp: restarted(remote, await response.text()) })
  }

  /** Give the resource back. Never throws: if the server does not hear of it, its own clock ends it. */
  async remove(): Promise<void> {
    clearTimeout(this.timer)
    this.trickles = false
    const headers = { Authorization: this.endpoint.authorization() }
    await fetched(this.location, { method: 'DELETE', headers, keepalive: true }, TIMEOUT_MS).catch(() => undefined)
  }

  private async sendCandidates(complete: boolean): Promise<void> {
    const found = this.waiting
    this.waiting = []
    if (!this.trickles || (found.length === 0 && !complete)) return
    const body = fragment(this.peer.localDescription?.sdp ?? '', found, complete)
    try {
      await this.patch('application/trickle-ice-sdpfrag', body, this.etag)
    } catch (thrown) {
      if (thrown instanceof ApiError && !thrown.retryable) this.trickles = false
    }
  }

  private patch(type: string, body: string, match: string | null): Promise<Response> {
    const headers: Record<string, string> = { 'Content-Type': type, Authorization: this.endpoint.authorization() }
    if (match) headers['If-Match'] = match
    return fetched(this.location, { method: 'PATCH', headers, body }, TIMEOUT_MS)
  }
}
