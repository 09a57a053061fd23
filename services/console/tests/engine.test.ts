import { create } from '@bufbuild/protobuf'
import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import {
  CallParticipantSchema,
  CallState,
  type CallView,
  CallViewSchema,
  EndReason,
  Presence,
} from '@protos/shuanglu/session/v1/call_pb'
import { JoinCallResponseSchema } from '@protos/shuanglu/session/v1/call_service_pb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ApiError } from '../src/api/errors'
import { CallEngine, type Parts } from '../src/features/call/engine'
import type { Publication } from '../src/media/publish'

/** A call with a customer (oneself) and an agent. */
function viewOf(
  change: {
    connection?: number
    agent?: Presence
    agentConnection?: number
    state?: CallState
    revision?: bigint
  } = {},
): CallView {
  const person = (participantId: string, role: ParticipantRole, presence: Presence, connection: number) =>
    create(CallParticipantSchema, { participant: { participantId, role }, presence, connection })
  return create(CallViewSchema, {
    sessionId: 's',
    state: change.state ?? CallState.ACTIVE,
    endReason: change.state === CallState.ENDED ? EndReason.COMPLETED : EndReason.UNSPECIFIED,
    revision: change.revision ?? 1n,
    nowUs: 2_000_000n,
    startedAtUs: 1_000_000n,
    ownParticipantId: 'customer',
    participants: [
      person('customer', ParticipantRole.CUSTOMER, Presence.LIVE, change.connection ?? 1),
      person('agent', ParticipantRole.AGENT, change.agent ?? Presence.EXPECTED, change.agentConnection ?? 0),
    ],
  })
}

/** A server and a media plane that do what they are told. */
class World implements Parts {
  now = 1_000
  origin = 'https://bank.example'
  view = viewOf()
  joins: (ApiError | null)[] = []
  published = 0
  closed = 0
  watched: string[] = []
  muted: boolean[] = []
  readonly door: Parts['door'] = {
    join: async () => {
      const failure = this.joins.shift()
      if (failure) throw failure
      return create(JoinCallResponseSchema, {
        call: this.view,
        publishPath: '/whip/s',
        watchPath: '/whep/s/{participant_id}',
      })
    },
    leave: async () => undefined,
    call: async () => this.view,
    mute: async (_, muted) => {
      this.muted.push(muted)
      return this.view
    },
    watch: async function* (stop: AbortSignal) {
      await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()))
    },
    authorization: () => 'Bearer x',
  }
  readonly nowMs = (): number => this.now
  readonly publish: Parts['publish'] = async (_stream, _muted, _how, tell) => {
    this.published += 1
    let finish: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      finish = resolve
    })
    tell('up')
    const close = async (): Promise<void> => {
      this.closed += 1
      finish()
    }
    return { peer: {} as RTCPeerConnection, ended, close, send: async () => undefined } satisfies Publication
  }
  readonly watch: Parts['watch'] = async (endpoint) => {
    this.watched.push(endpoint.url)
    return {
      peer: {} as RTCPeerConnection,
      ended: new Promise(() => undefined),
      close: async () => undefined,
      stream: {} as MediaStream,
    }
  }
}

const stream = { getAudioTracks: () => [], getVideoTracks: () => [] } as unknown as MediaStream

describe('a call', () => {
  let world: World
  let engine: CallEngine

  beforeEach(() => {
    vi.useFakeTimers()
    world = new World()
    engine = new CallEngine(world, stream)
  })
  afterEach(() => vi.useRealTimers())

  test('is joined and published', async () => {
    await engine.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(engine.own.value).toBe('up')
    expect(world.published).toBe(1)
  })

  test('is tried again while nothing can record, and says so', async () => {
    world.joins = [new ApiError('RECORDER_UNAVAILABLE', true, ''), null]
    const started = engine.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(engine.waiting.value?.reason).toBe('RECORDER_UNAVAILABLE')
    await vi.advanceTimersByTimeAsync(1000)
    await started
    expect(engine.waiting.value).toBeNull()
    expect(engine.view.value?.sessionId).toBe('s')
  })

  test('is published anew when the server asks for it, and only then', async () => {
    await engine.start()
    await vi.advanceTimersByTimeAsync(0)
    engine.see(viewOf({ connection: 1, revision: 2n }))
    await vi.advanceTimersByTimeAsync(6000)
    expect(world.published).toBe(1)
    world.view = viewOf({ connection: 2, revision: 3n })
    engine.see(world.view)
    await vi.advanceTimersByTimeAsync(6000)
    expect(world.published).toBe(2)
    engine.see(viewOf({ connection: 2, revision: 4n }))
    await vi.advanceTimersByTimeAsync(6000)
    expect(world.published).toBe(2)
  })

  test('watches who is live, and anew after a new connection', async () => {
    await engine.start()
    engine.see(viewOf({ agent: Presence.LIVE, agentConnection: 1, revision: 2n }))
    engine.see(viewOf({ agent: Presence.LIVE, agentConnection: 1, revision: 3n }))
    await vi.advanceTimersByTimeAsync(0)
    expect(world.watched).toEqual(['https://bank.example/whep/s/agent'])
    engine.see(viewOf({ agent: Presence.AWAY, agentConnection: 1, revision: 4n }))
    engine.see(viewOf({ agent: Presence.LIVE, agentConnection: 2, revision: 5n }))
    await vi.advanceTimersByTimeAsync(0)
    expect(world.watched).toHaveLength(2)
  })

  test('forgets older news', async () => {
    await engine.start()
    engine.see(viewOf({ agent: Presence.LEFT, revision: 9n }))
    engine.see(viewOf({ agent: Presence.LIVE, revision: 8n }))
    expect(engine.view.value?.participants[1]?.presence).toBe(Presence.LEFT)
  })

  test('is not believed when nothing was heard for long', async () => {
    await engine.start()
    expect(engine.stale()).toBe(false)
    world.now += 12_001
    expect(engine.stale()).toBe(true)
  })

  test('shows the time of the server and not of this machine', async () => {
    await engine.start()
    world.now += 4000
    expect(engine.elapsedMs()).toBe(5000)
  })

  test('is over in this window when another one took the seat', async () => {
    world.joins = [new ApiError('SEAT_TAKEN', false, '')]
    await engine.start()
    expect(engine.over.value).toEqual({ kind: 'taken' })
  })

  test('is over when the server says so, and gives the devices back', async () => {
    await engine.start()
    await vi.advanceTimersByTimeAsync(0)
    engine.see(viewOf({ state: CallState.ENDED, revision: 5n }))
    expect(engine.over.value).toEqual({ kind: 'ended', reason: EndReason.COMPLETED })
    expect(world.closed).toBeGreaterThan(0)
  })

  test('tells of a mute before it is silent', async () => {
    await engine.start()
    await vi.advanceTimersByTimeAsync(0)
    await engine.mute('audio', true)
    expect(world.muted).toEqual([true])
    expect(engine.muted.value.has('audio')).toBe(true)
  })
})
