import { type Client, createClient, type Interceptor } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { type Participant, ParticipantRole, type TrackKind } from '@protos/shuanglu/common/v1/types_pb'
import type { Report } from '@protos/shuanglu/report/v1/report_pb'
import { ReportService } from '@protos/shuanglu/report/v1/report_service_pb'
import type { CallView, Invitation } from '@protos/shuanglu/session/v1/call_pb'
import { CallService, type JoinCallResponse } from '@protos/shuanglu/session/v1/call_service_pb'
import { either } from '../waiting'
import { fetched, fromConnect } from './errors'

const CALL_TIMEOUT_MS = 10_000
/** The gateway sends at least one message each 10 s; a stream that is silent for longer is dead. */
const SILENCE_MS = 15_000

/** Who the page is for, after an invitation was accepted. */
export interface Seat {
  readonly sessionId: string
  readonly participant: Participant
}

interface Accepted {
  readonly token: string
  readonly session_id: string
  readonly participant: { readonly participant_id: string; readonly role: keyof typeof ROLES }
}

const ROLES = {
  PARTICIPANT_ROLE_CUSTOMER: ParticipantRole.CUSTOMER,
  PARTICIPANT_ROLE_AGENT: ParticipantRole.AGENT,
  PARTICIPANT_ROLE_CO_SIGNER: ParticipantRole.CO_SIGNER,
  PARTICIPANT_ROLE_WITNESS: ParticipantRole.WITNESS,
  PARTICIPANT_ROLE_SUPERVISOR: ParticipantRole.SUPERVISOR,
} as const

/**
 * The only door to the API. Every method throws ApiError and nothing else. The token is kept here, in memory: it is in
 * no storage and no address.
 */
export class Door {
  private token = ''
  private sessionId = ''
  private readonly calls: Client<typeof CallService>
  private readonly reports: Client<typeof ReportService>

  constructor(private readonly origin: string) {
    const authorize: Interceptor = (next) => (request) => {
      request.header.set('Authorization', `Bearer ${this.token}`)
      return next(request)
    }
    const transport = createGrpcWebTransport({ baseUrl: origin, interceptors: [authorize] })
    this.calls = createClient(CallService, transport)
    this.reports = createClient(ReportService, transport)
  }

  /**
   * Let in by the code of a link. JSON and not gRPC-Web, because the browser keeps the cookie that binds the code to it
   * for this one path.
   */
  async accept(code: string): Promise<Seat> {
    const init: RequestInit = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code }),
      credentials: 'same-origin',
    }
    const response = await fetched(`${this.origin}/v1/invitations:accept`, init, CALL_TIMEOUT_MS)
    const accepted = (await response.json()) as Accepted
    this.token = accepted.token
    this.sessionId = accepted.session_id
    const participant = {
      $typeName: 'shuanglu.common.v1.Participant' as const,
      participantId: accepted.participant.participant_id,
      role: ROLES[accepted.participant.role] ?? ParticipantRole.UNSPECIFIED,
    }
    return { sessionId: accepted.session_id, participant }
  }

  /** Value of the Authorization header for WHIP and WHEP. */
  authorization(): string {
    return `Bearer ${this.token}`
  }

  join(): Promise<JoinCallResponse> {
    return this.ask((options) => this.calls.joinCall({ sessionId: this.sessionId }, options))
  }

  async leave(): Promise<void> {
    await this.ask((options) => this.calls.leaveCall({ sessionId: this.sessionId }, options))
  }

  async call(): Promise<CallView> {
    return needed((await this.ask((options) => this.calls.getCall({ sessionId: this.sessionId }, options))).call)
  }

  async mute(kind: TrackKind, muted: boolean): Promise<CallView> {
    const request = { sessionId: this.sessionId, kind, muted }
    return needed((await this.ask((options) => this.calls.muteTrack(request, options))).call)
  }

  async hold(held: boolean): Promise<CallView> {
    return needed((await this.ask((options) => this.calls.holdCall({ sessionId: this.sessionId, held }, options))).call)
  }

  async startNode(nodeId: string): Promise<CallView> {
    const request = { sessionId: this.sessionId, nodeId }
    return needed((await this.ask((options) => this.calls.startNode(request, options))).call)
  }

  async finishNode(nodeId: string): Promise<CallView> {
    const request = { sessionId: this.sessionId, nodeId }
    return needed((await this.ask((options) => this.calls.finishNode(request, options))).call)
  }

  async end(): Promise<CallView> {
    return needed((await this.ask((options) => this.calls.endCall({ sessionId: this.sessionId }, options))).call)
  }

  /** A link for a participant that the session has, or for a person of `role` who is added. */
  async invite(whom: { participantId: string } | { role: ParticipantRole }): Promise<Invitation> {
    const request = { sessionId: this.sessionId, ...whom }
    return needed((await this.ask((options) => this.calls.createInvitation(request, options))).invitation)
  }

  /** Everything that happens, until the call has ended, the signal is given, or the stream falls silent (ApiError). */
  async *watch(stop: AbortSignal): AsyncGenerator<CallView> {
    const silence = new AbortController()
    const signal = either(stop, silence.signal)
    let timer = setTimeout(() => silence.abort(), SILENCE_MS)
    try {
      for await (const message of this.calls.watchSession({ sessionId: this.sessionId }, { signal })) {
        clearTimeout(timer)
        timer = setTimeout(() => silence.abort(), SILENCE_MS)
        if (message.call) yield message.call
      }
    } catch (thrown) {
      if (!stop.aborted) throw fromConnect(thrown)
    } finally {
      clearTimeout(timer)
    }
  }

  async report(): Promise<Report> {
    return needed((await this.ask((options) => this.reports.getReport({ sessionId: this.sessionId }, options))).report)
  }

  /** The newest report as a file of the page. */
  async reportPdf(): Promise<Blob> {
    const init = { headers: { Authorization: this.authorization() } }
    const url = `${this.origin}/v1/sessions/${encodeURIComponent(this.sessionId)}/report.pdf`
    return await (await fetched(url, init, CALL_TIMEOUT_MS)).blob()
  }

  /** How long the gateway takes to answer, milliseconds: the median of five. */
  async roundTripMs(): Promise<number> {
    const times: number[] = []
    for (let count = 0; count < 5; count += 1) {
      const started = performance.now()
      await fetched(`${this.origin}/healthz`, { cache: 'no-store' }, CALL_TIMEOUT_MS)
      times.push(performance.now() - started)
    }
    return times.sort((a, b) => a - b)[2] ?? 0
  }

  private async ask<T>(call: (options: { timeoutMs: number }) => Promise<T>): Promise<T> {
    try {
      return await call({ timeoutMs: CALL_TIMEOUT_MS })
    } catch (thrown) {
      throw fromConnect(thrown)
    }
  }
}

function needed<T>(value: T | undefined): T {
  if (value === undefined) throw fromConnect(new Error('the answer is empty'))
  return value
}
