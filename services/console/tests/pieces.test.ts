import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { Outcome } from '@protos/shuanglu/common/v1/types_pb'
import { CallViewSchema } from '@protos/shuanglu/session/v1/call_pb'
import { describe, expect, test } from 'vitest'
import { fromConnect, fromResponse, NETWORK_LOST } from '../src/api/errors'
import { readLink } from '../src/features/join/link'
import { stepsOf, unfinished } from '../src/features/script/progress'
import { fragment, iceSecret, restarted } from '../src/media/sdp'
import { clock, position, verdictOf } from '../src/words/names'
import { WORDS } from '../src/words/words'

describe('a link', () => {
  test.each([
    ['#abcdefghijklmnop_-', { kind: 'code', code: 'abcdefghijklmnop_-' }],
    ['#/hls/tok.en-1/master.m3u8', { kind: 'replay', path: '/hls/tok.en-1/master.m3u8' }],
    ['', { kind: 'none' }],
    ['#short', { kind: 'none' }],
    ['#//evil.example/hls/x/master.m3u8', { kind: 'none' }],
    ['#/hls/../v1/sessions/x.m3u8', { kind: 'none' }],
  ])('%s', (hash, link) => {
    expect(readLink(hash)).toEqual(link)
  })
})

describe('session descriptions', () => {
  const sdp =
    'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:old\r\na=ice-pwd:secret\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n'

  test('have a secret', () => {
    expect(iceSecret(sdp)).toEqual({ ufrag: 'old', pwd: 'secret' })
    expect(iceSecret('v=0')).toBeNull()
  })

  test('give fragments with the secret and the section', () => {
    const candidate = { candidate: 'candidate:2 1 udp 1 10.0.0.2 6 typ host' } as RTCIceCandidate
    expect(fragment(sdp, [candidate], true).split('\r\n')).toEqual([
      'a=ice-ufrag:old',
      'a=ice-pwd:secret',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111',
      'a=mid:0',
      'a=candidate:2 1 udp 1 10.0.0.2 6 typ host',
      'a=end-of-candidates',
      '',
    ])
  })

  test('take over what a restart answered', () => {
    const after = restarted(sdp, 'a=ice-ufrag:new\r\na=ice-pwd:fresh\r\na=candidate:9 1 udp 1 10.0.0.9 9 typ host\r\n')
    expect(iceSecret(after)).toEqual({ ufrag: 'new', pwd: 'fresh' })
    expect(after).toContain('10.0.0.9')
    expect(after).not.toContain('10.0.0.1 ')
    expect(restarted(sdp, '')).toBe(sdp)
  })
})

describe('a script', () => {
  const node = (nodeId: string) => ({ nodeId, titleZh: nodeId, titleEn: nodeId })
  const view = create(CallViewSchema, {
    script: [node('consent'), node('risk'), node('confirm')],
    takes: [
      { nodeId: 'consent', take: 1 },
      { nodeId: 'consent', take: 2 },
      { nodeId: 'risk', take: 1 },
    ],
    currentNodeId: 'risk',
  })

  test('says what is done, running and next', () => {
    expect(stepsOf(view).map((step) => step.kind)).toEqual(['done', 'running', 'open'])
    expect(stepsOf(view)[0]).toMatchObject({ take: 2 })
    expect(stepsOf(view)[2]).toMatchObject({ next: true })
    expect(unfinished(view)).toBe(2)
  })
})

describe('errors', () => {
  test('that never reached the server are the network', () => {
    expect(fromConnect(new TypeError('Failed to fetch'))).toMatchObject({ reason: NETWORK_LOST, retryable: true })
  })

  test('keep whether trying again helps', () => {
    expect(fromConnect(new ConnectError('x', Code.ResourceExhausted)).retryable).toBe(true)
    expect(fromConnect(new ConnectError('x', Code.PermissionDenied)).retryable).toBe(false)
  })

  test('of JSON carry their reason', async () => {
    const body = JSON.stringify({ code: 7, message: 'no', details: [{ reason: 'INVITATION_USED' }] })
    const error = await fromResponse(new Response(body, { status: 403 }))
    expect(error).toMatchObject({ reason: 'INVITATION_USED', retryable: false })
    expect(await fromResponse(new Response('busy', { status: 503 }))).toMatchObject({
      reason: 'HTTP_503',
      retryable: true,
    })
  })
})

describe('words', () => {
  test('fill in the same values in both languages, and none is empty', () => {
    const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((each) => each[1]).sort()
    for (const [zh, en] of Object.values(WORDS)) {
      expect(zh && en).not.toBe('')
      expect(names(zh)).toEqual(names(en))
    }
  })

  test('say times', () => {
    expect(clock(134_000)).toBe('02:14')
    expect(clock(3_734_000)).toBe('1:02:14')
    expect(position(72_450)).toBe('01:12.4')
  })

  test('take what is unknown for unsure, never for a pass', () => {
    expect(verdictOf(Outcome.UNSPECIFIED).tone).toBe('unsure')
    expect(verdictOf(Outcome.PASS).tone).toBe('pass')
  })
})
