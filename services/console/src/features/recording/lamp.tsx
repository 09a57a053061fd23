import { ProofState, type RecordingProof } from '@protos/shuanglu/session/v1/call_pb'
import { say } from '../../words'
import { clock, PROOF } from '../../words/names'
import './recording.css'

/** What the recorder reports, never what was asked for: full only while bytes are on disk and in the store. */
export function Lamp(props: {
  readonly proof: RecordingProof | undefined
  readonly stale: boolean
  readonly stored?: boolean
}) {
  const { proof, stale } = props
  const state = proof?.state ?? ProofState.UNSPECIFIED
  const proven = !stale && state === ProofState.PROVEN
  const closed = state === ProofState.CLOSED
  const word = stale && !closed ? 'recUnknown' : PROOF[state]
  const storedMs = Number(proof?.storedDurationMs ?? 0n)
  return (
    <span class={proven ? 'lamp proven' : 'lamp'} role="status" data-proof={stale ? 'UNKNOWN' : ProofState[state]}>
      <span class="light" aria-hidden="true">
        {closed ? '✓' : proven ? '●' : '○'}
      </span>
      {props.stored && storedMs > 0 ? `${say(word)} · ${say('recStored', { time: clock(storedMs) })}` : say(word)}
    </span>
  )
}
