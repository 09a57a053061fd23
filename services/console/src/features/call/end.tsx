import { Sheet } from '../../ui/parts'
import { say } from '../../words'
import { END } from '../../words/names'
import type { Over } from './engine'

/** After the call, for everybody but the agent. */
export function EndScreen(props: { readonly over: Exclude<Over, { kind: 'refused' }>; readonly onBack: () => void }) {
  const { over } = props
  switch (over.kind) {
    case 'ended':
      return (
        <Sheet name="ended" sign="✓" title={say('endedTitle')}>
          <p>{say(END[over.reason])}</p>
        </Sheet>
      )
    case 'left':
      return (
        <Sheet name="left" title={say('leftTitle')} foot={<Back text={say('comeBack')} onBack={props.onBack} />}>
          <p>{say('leftText')}</p>
        </Sheet>
      )
    case 'taken':
      return (
        <Sheet
          name="taken"
          sign="!"
          title={say('takenTitle')}
          foot={<Back text={say('takeBack')} onBack={props.onBack} />}
        >
          <p>{say('takenText')}</p>
        </Sheet>
      )
  }
}

function Back(props: { readonly text: string; readonly onBack: () => void }) {
  return (
    <button type="button" class="button main wide" onClick={props.onBack}>
      {props.text}
    </button>
  )
}
