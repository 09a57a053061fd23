import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { TrackKind } from '@protos/shuanglu/common/v1/types_pb'
import { CallState, type CallView, type EndReason, Presence } from '@protos/shuanglu/session/v1/call_pb'
import type { JoinCallResponse } from '@protos/shuanglu/session/v1/call_service_pb'
import type { Door } from '../../api/door'
import { ApiError, NETWORK_LOST } from '../../api/errors'
import type { Flow } from '../../media/connection'
import type { Publication, publish } from '../../media/publish'
import type { watch } from '../../media/watch'
import { Backoff, either, given, sleep } from '../../waiting'

/** Why the page is no longer in the call. */
export type Over =
  | { readonly kind: 'ended'; readonly reason: EndReason }
  | { readonly kind: 'left' }
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly error: ApiError }

/** Another participant's media as it arrives. */
export interface Remote {
  readonly flow: Flow
  readonly stream: MediaStream | null
}

/** What the engine needs of the outside. */
export interface Parts {
  readonly door: Pick<Door, 'join' | 'leave' | 'call' | 'mute' | 'watch' | 'authorization'>
  readonly origin: string
  readonly publish: typeof publish
  readonly watch: typeof watch
  readonly nowMs: () => number
}

/** No message for so long: what the page shows may be old. The server sends at least one each 10 s. */
const STALE_MS = 12_000
/** The same while the stream is known to be broken. */
const BROKEN_MS = 3_000
const REASONS_TAKEN = new Set(['SEAT_TAKEN'])

/**
 * A participant's side of one call: joins, keeps the own media published and the others' watched, and follows what the
 * server says. Comes back by itself after every loss; `over` says when it does not.
 */
export class CallEngine {
  readonly view = signal<CallView | null>(null)
  /** Whether the server's word arrives. */
  readonly heard = signal(false)
  /** Flow of the own media. */
  readonly own = signal<Flow>('connecting')
  readonly remotes = signal<ReadonlyMap<string, Remote>>(new Map())
  readonly muted = signal<ReadonlySet<'audio' | 'video'>>(new Set())
  /** Why joining takes long; null when it does not. */
  readonly waiting = signal<ApiError | null>(null)
  readonly over = signal<Over | null>(null)
  readonly ownId: ReadonlySignal<string> = computed(() => this.view.value?.ownParticipantId ?? '')

  private readonly stop = new AbortController()
  private readonly watchers = new Map<string, { demand: string; stop: AbortController }>()
  private joined: JoinCallResponse | null = null
  private publication: Publication | null = null
  /** The `connection` under which the own media is published; 0 while it is not. */
  private publishedUnder = 0
  private heardAtMs = 0
  private serverAheadUs = 0

  constructor(
    private readonly parts: Parts,
    private readonly stream: MediaStream,
  ) {}

  /** Join, and stay until it is over. Returns when the call has been joined or is over. */
  async start(): Promise<void> {
    const backoff = new Backoff()
    while (!this.stop.signal.aborted && !this.joined) {
      try {
        this.joined = await this.parts.door.join()
        this.waiting.value = null
      } catch (thrown) {
        if (!this.mayRetry(thrown)) return
        this.waiting.value = thrown as ApiError
        await sleep(backoff.next(), this.stop.signal)
      }
    }
    if (!this.joined) return
    if (this.joined.call) this.see(this.joined.call)
    void this.keepWatchingSession()
    void this.keepPublished()
  }

  /** Milliseconds since the timeline's start by the server's clock; 0 before the first byte. */
  elapsedMs(): number {
    const startedUs = Number(this.view.value?.startedAtUs ?? 0n)
    return startedUs === 0 ? 0 : Math.max((this.parts.nowMs() * 1000 + this.serverAheadUs - startedUs) / 1000, 0)
  }

  /** True if what is shown may not be so any more. */
  stale(): boolean {
    return this.parts.nowMs() - this.heardAtMs > (this.heard.value ? STALE_MS : BROKEN_MS)
  }

  /** Switch the own sound or picture off or on, here first and then at the server. Throws ApiError. */
  async mute(kind: 'audio' | 'video', off: boolean): Promise<void> {
    const trackKind = kind === 'audio' ? TrackKind.AUDIO : TrackKind.VIDEO
    // Told before it is silent and after it is heard again: the silence lies within what was announced.
    if (off) this.see(await this.parts.door.mute(trackKind, true))
    const muted = new Set(this.muted.value)
    if (off) muted.add(kind)
    else muted.delete(kind)
    this.muted.value = muted
    await this.publication?.send(kind, off ? null : this.trackOf(kind))
    if (!off) this.see(await this.parts.door.mute(trackKind, false))
  }

  /** Go out; the call goes on for the others. */
  async leave(): Promise<void> {
    this.finish({ kind: 'left' })
    await this.parts.door.leave().catch(() => undefined)
  }

  /** Another window of this participant has come in. */
  taken(): void {
    this.finish({ kind: 'taken' })
  }

  /** Take what an answer of the server says about the call. */
  see(view: CallView): void {
    const known = this.view.value
    this.heardAtMs = this.parts.nowMs()
    this.heard.value = true
    if (known && view.revision < known.revision) return
    this.serverAheadUs = Number(view.nowUs) - this.heardAtMs * 1000
    this.view.value = view
    if (view.state === CallState.ENDED || view.state === CallState.ENDING) {
      this.finish({ kind: 'ended', reason: view.endReason })
      return
    }
    this.renewIfAsked(view)
    this.watchOthers(view)
  }

  private async keepWatchingSession(): Promise<void> {
    const backoff = new Backoff()
    while (!this.stop.signal.aborted) {
      try {
        for await (const view of this.parts.door.watch(this.stop.signal)) {
          backoff.reset()
          this.see(view)
        }
        if (!this.stop.signal.aborted) this.see(await this.parts.door.call())
      } catch (thrown) {
        if (!this.mayRetry(thrown)) return
        this.heard.value = false
      }
      await sleep(backoff.next(), this.stop.signal)
    }
  }

  private async keepPublished(): Promise<void> {
    const backoff = new Backoff()
    while (!this.stop.signal.aborted) {
      try {
        await this.publishOnce(() => backoff.reset())
      } catch (thrown) {
        if (thrown instanceof ApiError && thrown.reason === 'NOT_JOINED') await this.rejoin()
        else if (!this.mayRetry(thrown)) return
      }
      this.own.value = 'interrupted'
      await sleep(backoff.next(), this.stop.signal)
    }
  }

  /** Publish, and return when that connection is over. */
  private async publishOnce(up: () => void): Promise<void> {
    const joined = this.joined
    if (!joined) return
    const endpoint = {
      url: this.parts.origin + joined.publishPath,
      authorization: () => this.parts.door.authorization(),
    }
    const how = { endpoint, iceServers: iceServers(joined), maxVideoBitrate: joined.maxVideoBitrate }
    this.publishedUnder = 0
    const publication = await this.parts.publish(this.stream, this.muted.value, how, (flow) => {
      this.own.value = flow
      if (flow === 'up') up()
    })
    this.publication = publication
    if (this.stop.signal.aborted) {
      await publication.close()
      return
    }
    // The number is the server's, and only an answer given after publishing is sure to have it.
    const view = await this.parts.door.call().catch(() => null)
    if (view) {
      this.publishedUnder = ownConnection(view)
      this.see(view)
    }
    await publication.ended
    this.publication = null
    await publication.close()
  }

  /** Out for too long: the server counts this participant as left. */
  private async rejoin(): Promise<void> {
    try {
      this.joined = await this.parts.door.join()
      if (this.joined.call) this.see(this.joined.call)
    } catch (thrown) {
      this.mayRetry(thrown)
    }
  }

  private renewIfAsked(view: CallView): void {
    if (this.publishedUnder === 0 || ownConnection(view) <= this.publishedUnder) return
    this.publishedUnder = 0
    void this.publication?.close()
  }

  private watchOthers(view: CallView): void {
    const wanted = new Map<string, string>()
    for (const each of view.participants) {
      const id = each.participant?.participantId ?? ''
      if (id === view.ownParticipantId) continue
      // Who is away keeps the last picture until coming back, by a new connection or the same.
      if (each.presence === Presence.LIVE || (each.presence === Presence.AWAY && this.watchers.has(id))) {
        wanted.set(id, `${each.connection}`)
      }
    }
    for (const [id, watcher] of this.watchers) {
      if (wanted.get(id) === watcher.demand) continue
      watcher.stop.abort()
      this.watchers.delete(id)
      if (!wanted.has(id)) this.setRemote(id, null)
    }
    for (const [id, demand] of wanted) {
      if (this.watchers.has(id)) continue
      const stop = new AbortController()
      this.watchers.set(id, { demand, stop })
      void this.keepWatching(id, either(stop.signal, this.stop.signal))
    }
  }

  private async keepWatching(id: string, stop: AbortSignal): Promise<void> {
    const backoff = new Backoff()
    while (!stop.aborted && this.joined) {
      const path = this.joined.watchPath.replace('{participant_id}', encodeURIComponent(id))
      const endpoint = { url: this.parts.origin + path, authorization: () => this.parts.door.authorization() }
      try {
        let flow: Flow = 'connecting'
        let stream: MediaStream | null = null
        const tell = (now: Flow): void => {
          flow = now
          if (now === 'up') backoff.reset()
          if (!stop.aborted) this.setRemote(id, { flow, stream })
        }
        const watching = await this.parts.watch(endpoint, iceServers(this.joined), tell)
        stream = watching.stream
        tell(flow)
        await Promise.race([watching.ended, given(stop)])
        await watching.close()
      } catch (thrown) {
        // Nothing to watch is no end: the server tells when there is.
        if (thrown instanceof ApiError && REASONS_TAKEN.has(thrown.reason)) this.mayRetry(thrown)
      }
      if (!stop.aborted) this.setRemote(id, { flow: 'interrupted', stream: this.remotes.value.get(id)?.stream ?? null })
      await sleep(backoff.next(), stop)
    }
  }

  private setRemote(id: string, remote: Remote | null): void {
    const remotes = new Map(this.remotes.value)
    if (remote) remotes.set(id, remote)
    else remotes.delete(id)
    this.remotes.value = remotes
  }

  private trackOf(kind: 'audio' | 'video'): MediaStreamTrack | null {
    const tracks = kind === 'audio' ? this.stream.getAudioTracks() : this.stream.getVideoTracks()
    return tracks[0] ?? null
  }

  /** False if trying again is pointless; then it is over. */
  private mayRetry(thrown: unknown): boolean {
    const error = thrown instanceof ApiError ? thrown : new ApiError('PAGE_FAULT', true, String(thrown))
    if (error.retryable || error.reason === NETWORK_LOST || error.reason === 'CONNECTION_NOT_FOUND') return true
    if (REASONS_TAKEN.has(error.reason)) this.finish({ kind: 'taken' })
    else if (error.reason === 'CALL_ENDED') void this.findEnd(error)
    else this.finish({ kind: 'refused', error })
    return false
  }

  private async findEnd(error: ApiError): Promise<void> {
    try {
      this.see(await this.parts.door.call())
    } catch {
      this.finish({ kind: 'refused', error })
    }
  }

  private finish(over: Over): void {
    if (this.over.value) return
    this.over.value = over
    this.stop.abort()
    this.watchers.clear()
    void this.publication?.close()
  }
}

function ownConnection(view: CallView): number {
  const own = view.participants.find((each) => each.participant?.participantId === view.ownParticipantId)
  return own?.connection ?? 0
}

function iceServers(joined: JoinCallResponse): RTCIceServer[] {
  return joined.iceServers.map(({ urls, username, credential }) =>
    username ? { urls, username, credential } : { urls },
  )
}
