import { Outcome, ParticipantRole, TrackKind } from '@protos/shuanglu/common/v1/types_pb'
import { GapCause } from '@protos/shuanglu/media/v1/track_pb'
import { EndReason, NetworkQuality, Presence, ProofState } from '@protos/shuanglu/session/v1/call_pb'
import type { Word } from './words'

/** Words for the values of the contracts. */
export const ROLE: Readonly<Record<ParticipantRole, Word>> = {
  [ParticipantRole.UNSPECIFIED]: 'roleOther',
  [ParticipantRole.CUSTOMER]: 'roleCustomer',
  [ParticipantRole.AGENT]: 'roleAgent',
  [ParticipantRole.CO_SIGNER]: 'roleCoSigner',
  [ParticipantRole.WITNESS]: 'roleWitness',
  [ParticipantRole.SUPERVISOR]: 'roleSupervisor',
}

export const PRESENCE: Readonly<Record<Presence, Word>> = {
  [Presence.UNSPECIFIED]: 'presenceExpected',
  [Presence.EXPECTED]: 'presenceExpected',
  [Presence.JOINED]: 'presenceJoined',
  [Presence.LIVE]: 'presenceLive',
  [Presence.AWAY]: 'presenceAway',
  [Presence.LEFT]: 'presenceLeft',
}

export const NETWORK: Readonly<Record<NetworkQuality, Word>> = {
  [NetworkQuality.UNSPECIFIED]: 'netUnknown',
  [NetworkQuality.GOOD]: 'netGood',
  [NetworkQuality.FAIR]: 'netFair',
  [NetworkQuality.POOR]: 'netPoor',
  [NetworkQuality.LOST]: 'netLost',
}

export const PROOF: Readonly<Record<ProofState, Word>> = {
  [ProofState.UNSPECIFIED]: 'recPending',
  [ProofState.PENDING]: 'recPending',
  [ProofState.PROVEN]: 'recProven',
  [ProofState.STALLED]: 'recStalled',
  [ProofState.PAUSED]: 'recPaused',
  [ProofState.CLOSED]: 'recClosed',
}

export const KIND: Readonly<Record<TrackKind, Word>> = {
  [TrackKind.UNSPECIFIED]: 'kindVideo',
  [TrackKind.AUDIO]: 'kindAudio',
  [TrackKind.VIDEO]: 'kindVideo',
  [TrackKind.SCREEN]: 'kindScreen',
}

export const END: Readonly<Record<EndReason, Word>> = {
  [EndReason.UNSPECIFIED]: 'endedOther',
  [EndReason.COMPLETED]: 'endedCompleted',
  [EndReason.CANCELLED]: 'endedCancelled',
  [EndReason.ABANDONED]: 'endedAbandoned',
  [EndReason.TIME_LIMIT]: 'endedLimit',
  [EndReason.RECORDING_LOST]: 'endedLost',
  [EndReason.NEVER_JOINED]: 'endedOther',
}

export const GAP: Readonly<Record<GapCause, Word>> = {
  [GapCause.UNSPECIFIED]: 'gapOther',
  [GapCause.MISSING]: 'gapOther',
  [GapCause.DAMAGED]: 'gapOther',
  [GapCause.DISCONTINUITY]: 'gapOther',
  [GapCause.MUTED]: 'gapMuted',
  [GapCause.LOST]: 'gapLost',
  [GapCause.AWAY]: 'gapAway',
  [GapCause.HELD]: 'gapHeld',
  [GapCause.RECORDER]: 'gapRecorder',
}

/** Sign, word and colour of an outcome. What is not known is unsure, never a pass. */
export interface Verdict {
  readonly sign: string
  readonly word: Word
  readonly tone: 'pass' | 'fail' | 'unsure'
}

export function verdictOf(outcome: Outcome): Verdict {
  switch (outcome) {
    case Outcome.PASS:
      return { sign: '✓', word: 'passSign', tone: 'pass' }
    case Outcome.FAIL:
      return { sign: '✕', word: 'failSign', tone: 'fail' }
    default:
      return { sign: '?', word: 'unsureSign', tone: 'unsure' }
  }
}

/** `02:14` or `1:02:14`. */
export function clock(milliseconds: number): string {
  const total = Math.max(Math.floor(milliseconds / 1000), 0)
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`
}

/** `01:12.4`: a position on the recording. */
export function position(milliseconds: number): string {
  return `${clock(milliseconds)}.${Math.floor((Math.max(milliseconds, 0) % 1000) / 100)}`
}
