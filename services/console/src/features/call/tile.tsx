import { type CallParticipant, NetworkQuality, Presence } from '@protos/shuanglu/session/v1/call_pb'
import { Picture } from '../../ui/parts'
import { say } from '../../words'
import { NETWORK } from '../../words/names'
import type { Remote } from './engine'
import { nameOf } from './people'

/** Another participant's picture, or why there is none. */
export function Tile(props: {
  readonly person: CallParticipant
  readonly remote: Remote | undefined
  readonly waiting: string
  readonly onBlocked: (play: () => void) => void
  readonly named: boolean
}) {
  const { person, remote } = props
  const shown = person.presence === Presence.LIVE && remote?.flow === 'up' && !person.videoMuted
  return (
    <div class="tile" data-person={person.participant?.participantId} data-shown={shown}>
      <Picture stream={remote?.stream ?? null} label={nameOf(person)} blocked={props.onBlocked} />
      {!shown && (
        <p class="cover" role="status">
          {why(person, props.waiting)}
        </p>
      )}
      {props.named && (
        <p class="plate">
          {nameOf(person)}
          {person.audioMuted && ` · ${say('kindAudio')} ${say('gapMuted')}`}
          {person.network >= NetworkQuality.FAIR && ` · ${say(NETWORK[person.network])}`}
        </p>
      )}
    </div>
  )
}

function why(person: CallParticipant, waiting: string): string {
  switch (person.presence) {
    case Presence.AWAY:
      return say('awayOther', { who: nameOf(person) })
    case Presence.LEFT:
      return say('leftOther', { who: nameOf(person) })
    case Presence.LIVE:
      return person.videoMuted ? `${say('kindVideo')} ${say('gapMuted')}` : say('waitingPicture')
    case Presence.JOINED:
      return say('waitingPicture')
    default:
      return waiting
  }
}
