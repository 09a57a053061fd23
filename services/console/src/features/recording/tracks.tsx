import { type CallView, ProofState, type TrackProof } from '@protos/shuanglu/session/v1/call_pb'
import { say } from '../../words'
import { clock, KIND, PROOF, ROLE } from '../../words/names'

/** Sign and tone of one track's proof. */
const SIGN: Readonly<Record<ProofState, string>> = {
  [ProofState.UNSPECIFIED]: '○',
  [ProofState.PENDING]: '○',
  [ProofState.PROVEN]: '●',
  [ProofState.STALLED]: '✕',
  [ProofState.PAUSED]: '‖',
  [ProofState.CLOSED]: '✓',
}

/** Every track with what the store has confirmed of it. */
export function Tracks(props: { readonly view: CallView; readonly stale: boolean }) {
  const { view, stale } = props
  const tracks = [...(view.recording?.tracks ?? [])].sort((a, b) => a.trackId.localeCompare(b.trackId))
  return (
    <section class="panel" aria-label={say('recTracks')}>
      <h3>{say('recTracks')}</h3>
      {view.recording?.storageAlarm && (
        <p class="alarm" role="alert">
          ! {say('recAlarm')}
        </p>
      )}
      <ul class="tracks">
        {tracks.map((track) => (
          <Track key={track.trackId} track={track} view={view} stale={stale} />
        ))}
      </ul>
    </section>
  )
}

function Track(props: { readonly track: TrackProof; readonly view: CallView; readonly stale: boolean }) {
  const { track, view, stale } = props
  const owner = view.participants.find((each) => each.participant?.participantId === track.participantId)
  const state = stale && track.state !== ProofState.CLOSED ? ProofState.UNSPECIFIED : track.state
  const name = `${say(ROLE[owner?.participant?.role ?? 0])} · ${say(KIND[track.kind])}`
  return (
    <li data-track={track.trackId} data-proof={ProofState[track.state]}>
      <span class={`light state-${ProofState[state].toLowerCase()}`} aria-hidden="true">
        {SIGN[state]}
      </span>
      <span class="name">{name}</span>
      <span class="quiet">{say(stale ? 'recUnknown' : PROOF[state])}</span>
      <span class="time">{clock(Number(track.storedDurationMs))}</span>
    </li>
  )
}
