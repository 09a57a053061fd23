import { type CallParticipant, CallState, type CallView } from '@protos/shuanglu/session/v1/call_pb'
import { useCallback, useState } from 'preact/hooks'
import type { Door } from '../../api/door'
import { Dialog } from '../../ui/parts'
import { say } from '../../words'
import { unfinished } from '../script/progress'
import type { CallEngine } from './engine'
import { InviteDialog } from './invite'

type Act = (work: () => Promise<unknown>) => Promise<void>

/** Sound, picture, hold, invite, end. */
export function Controls(props: {
  readonly engine: CallEngine
  readonly door: Door
  readonly own: CallParticipant | undefined
  readonly view: CallView
  readonly busy: boolean
  readonly act: Act
}) {
  const { engine, door, view, busy, act } = props
  const [open, setOpen] = useState<'none' | 'end' | 'invite'>('none')
  const onClose = useCallback(() => setOpen('none'), [])
  const muted = engine.muted.value
  const held = view.state === CallState.HELD
  return (
    <>
      <div class="row">
        <Toggle
          on={muted.has('audio')}
          busy={busy}
          word={say(muted.has('audio') ? 'unmuteSound' : 'muteSound')}
          onClick={() => void act(() => engine.mute('audio', !muted.has('audio')))}
        />
        <Toggle
          on={muted.has('video')}
          busy={busy}
          word={say(muted.has('video') ? 'unmutePicture' : 'mutePicture')}
          onClick={() => void act(() => engine.mute('video', !muted.has('video')))}
        />
        <Toggle
          on={held}
          busy={busy}
          word={say(held ? 'resume' : 'hold')}
          onClick={() => void act(async () => engine.see(await door.hold(!held)))}
        />
        <button type="button" class="button" onClick={() => setOpen('invite')}>
          {say('invite')}
        </button>
      </div>
      <button type="button" class="button grave" disabled={busy} onClick={() => setOpen('end')}>
        {say('end')}
      </button>
      {open === 'invite' && <InviteDialog door={door} view={view} onClose={onClose} />}
      {open === 'end' && (
        <Dialog title={say('endTitle')} onClose={onClose}>
          {unfinished(view) > 0 && <p class="tone-unsure">? {say('endUnfinished', { count: unfinished(view) })}</p>}
          <p>{say('endText')}</p>
          <div class="row end">
            <button type="button" class="button" onClick={onClose}>
              {say('cancel')}
            </button>
            <button
              type="button"
              class="button grave"
              onClick={() => {
                onClose()
                void act(async () => engine.see(await door.end()))
              }}
            >
              {say('endButton')}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}

function Toggle(props: {
  readonly on: boolean
  readonly busy: boolean
  readonly word: string
  readonly onClick: () => void
}) {
  return (
    <button type="button" class="button" aria-pressed={props.on} disabled={props.busy} onClick={props.onClick}>
      {props.word}
    </button>
  )
}
