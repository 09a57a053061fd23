import { signal } from '@preact/signals'
import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import { Door, type Seat } from '../../api/door'
import { ApiError } from '../../api/errors'
import { closeDevices, type DeviceProblem, openDevices } from '../../media/devices'
import { publish } from '../../media/publish'
import { type Lack, lack } from '../../media/support'
import { watch } from '../../media/watch'
import { CallEngine, type Over } from '../call/engine'
import { type Link, readLink } from './link'

/** What is on the screen. */
export type Screen =
  | { readonly kind: 'opening' }
  | { readonly kind: 'noLink' }
  | { readonly kind: 'replay'; readonly path: string }
  | { readonly kind: 'lacking'; readonly lack: Lack }
  | { readonly kind: 'refused'; readonly error: ApiError }
  | { readonly kind: 'consent'; readonly seat: Seat }
  | { readonly kind: 'device'; readonly seat: Seat; readonly problem: DeviceProblem }
  | { readonly kind: 'check'; readonly seat: Seat; readonly stream: MediaStream }
  | { readonly kind: 'call'; readonly seat: Seat; readonly stream: MediaStream; readonly engine: CallEngine }
  | { readonly kind: 'over'; readonly seat: Seat; readonly over: Exclude<Over, { kind: 'refused' }> }

/** Seconds between attempts while the server cannot be reached or is busy. */
const RETRY_MS = 3000
/** Says only that this tab was in the call: after a reload it goes straight back. Holds no secret. */
const WAS_IN = 'shuanglu.was-in'

/** One person's visit to the page, from the link to the end. */
export class Visit {
  readonly screen = signal<Screen>({ kind: 'opening' })
  readonly door = new Door(window.location.origin)
  private readonly tabs = 'BroadcastChannel' in window ? new BroadcastChannel('shuanglu.call') : null
  private readonly tab = crypto.randomUUID()
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Begin with what the address says. */
  async open(): Promise<void> {
    const link: Link = readLink(window.location.hash)
    if (link.kind === 'none') this.screen.value = { kind: 'noLink' }
    else if (link.kind === 'replay') this.screen.value = { kind: 'replay', path: link.path }
    else await this.enter(link.code)
  }

  /** Ask for camera and microphone, then check them or go straight into the call. */
  async prepare(seat: Seat, straight = false): Promise<void> {
    const devices = await openDevices()
    if (devices.kind === 'refused') this.screen.value = { kind: 'device', seat, problem: devices.problem }
    else if (straight) this.join(seat, devices.stream)
    else this.screen.value = { kind: 'check', seat, stream: devices.stream }
  }

  /** Into the call, until it is over. */
  join(seat: Seat, stream: MediaStream): void {
    const nowMs = (): number => performance.timeOrigin + performance.now()
    const engine = new CallEngine({ door: this.door, origin: window.location.origin, publish, watch, nowMs }, stream)
    this.screen.value = { kind: 'call', seat, stream, engine }
    sessionStorage.setItem(WAS_IN, seat.sessionId)
    this.tabs?.postMessage({ seat: seatKey(seat), tab: this.tab })
    this.tabs?.addEventListener('message', ({ data }: MessageEvent<{ seat: string; tab: string }>) => {
      if (data.seat === seatKey(seat) && data.tab !== this.tab) engine.taken()
    })
    const forget = engine.over.subscribe((over) => {
      if (!over) return
      closeDevices(stream)
      if (over.kind !== 'taken') sessionStorage.removeItem(WAS_IN)
      this.screen.value =
        over.kind === 'refused' ? { kind: 'refused', error: over.error } : { kind: 'over', seat, over }
      queueMicrotask(() => forget())
    })
    void engine.start()
  }

  /** Once more from the link on; the cookie lets the same browser in again. */
  async again(): Promise<void> {
    clearTimeout(this.timer)
    this.screen.value = { kind: 'opening' }
    await this.open()
  }

  private async enter(code: string): Promise<void> {
    const missing = lack()
    if (missing !== 'none') {
      this.screen.value = { kind: 'lacking', lack: missing }
      return
    }
    try {
      const seat = await this.door.accept(code)
      if (sessionStorage.getItem(WAS_IN) === seat.sessionId) await this.prepare(seat, true)
      else if (isAgent(seat)) await this.prepare(seat)
      else this.screen.value = { kind: 'consent', seat }
    } catch (thrown) {
      const error = thrown instanceof ApiError ? thrown : new ApiError('PAGE_FAULT', false, String(thrown))
      this.screen.value = { kind: 'refused', error }
      if (error.retryable) this.timer = setTimeout(() => void this.again(), RETRY_MS)
    }
  }
}

/** Agents and supervisors conduct; everybody else is led through. */
export function isAgent(seat: Seat): boolean {
  return seat.participant.role === ParticipantRole.AGENT || seat.participant.role === ParticipantRole.SUPERVISOR
}

function seatKey(seat: Seat): string {
  return `${seat.sessionId}/${seat.participant.participantId}`
}
