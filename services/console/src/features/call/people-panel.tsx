import { type CallView, NetworkQuality, Presence } from '@protos/shuanglu/session/v1/call_pb'
import { say } from '../../words'
import { NETWORK, PRESENCE } from '../../words/names'
import { idOf, nameOf } from './people'

/** Sign of a presence, so that colour is never alone. */
const SIGN: Readonly<Record<Presence, string>> = {
  [Presence.UNSPECIFIED]: '○',
  [Presence.EXPECTED]: '○',
  [Presence.JOINED]: '◔',
  [Presence.LIVE]: '●',
  [Presence.AWAY]: '!',
  [Presence.LEFT]: '✕',
}

/** Who is there, and how well their media arrives. */
export function People(props: { readonly view: CallView }) {
  return (
    <section class="panel" aria-label={say('people')}>
      <h3>{say('people')}</h3>
      <ul class="people">
        {props.view.participants.map((person) => (
          <li key={idOf(person)} data-presence={Presence[person.presence]}>
            <span class="sign" aria-hidden="true">
              {SIGN[person.presence]}
            </span>
            <span>{nameOf(person)}</span>
            <span class="quiet">{say(PRESENCE[person.presence])}</span>
            <span class={person.network >= NetworkQuality.POOR ? 'tone-fail' : 'quiet'}>
              {person.presence === Presence.LIVE ? say(NETWORK[person.network]) : ''}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
