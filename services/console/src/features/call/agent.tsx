import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import { CallState } from '@protos/shuanglu/session/v1/call_pb'
import { useCallback, useState } from 'preact/hooks'
import type { Door } from '../../api/door'
import { ApiError } from '../../api/errors'
import { Picture, useTick } from '../../ui/parts'
import { otherLanguage, say } from '../../words'
import { clock } from '../../words/names'
import { Lamp } from '../recording/lamp'
import { Tracks } from '../recording/tracks'
import { Script } from '../script/script'
import { Controls } from './controls'
import type { CallEngine } from './engine'
import { idOf, othersOf, ownOf } from './people'
import { People } from './people-panel'
import { Tile } from './tile'
import './call.css'

/** The agent's call: both pictures, the recording's proof always in sight, the script with its buttons. */
export function AgentCall(props: { readonly engine: CallEngine; readonly door: Door; readonly stream: MediaStream }) {
  const { engine, door, stream } = props
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<ApiError | null>(null)
  const [play, setPlay] = useState<(() => void) | null>(null)
  const onBlocked = useCallback((retry: () => void) => setPlay(() => retry), [])
  useTick(500)
  const view = engine.view.value
  if (!view) return null
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      await work()
    } catch (thrown) {
      setFault(thrown instanceof ApiError ? thrown : new ApiError('PAGE_FAULT', false, String(thrown)))
    }
    setBusy(false)
  }
  const [first, ...others] = othersOf(view, ParticipantRole.CUSTOMER)
  const own = ownOf(view)
  const lost = engine.own.value === 'interrupted' || (engine.stale() && !engine.heard.value)
  return (
    <main class="agent" data-screen="agent-call" data-flow={engine.own.value}>
      <header class="head">
        <strong>{say('product')}</strong>
        <Lamp proof={view.recording} stale={engine.stale()} stored />
        {view.startedAtUs > 0n && <span>{clock(engine.elapsedMs())}</span>}
        <button type="button" class="button small" onClick={otherLanguage}>
          {say('language')}
        </button>
      </header>
      <Script
        view={view}
        busy={busy}
        onStart={(node) => void act(async () => engine.see(await door.startNode(node)))}
        onFinish={(node) => void act(async () => engine.see(await door.finishNode(node)))}
      />
      <section class="stage scene">
        {first && (
          <Tile
            person={first}
            remote={engine.remotes.value.get(idOf(first))}
            waiting={say('waitingCustomer')}
            onBlocked={onBlocked}
            named
          />
        )}
        <div class="strip">
          {others.map((person) => (
            <Tile
              key={idOf(person)}
              person={person}
              remote={engine.remotes.value.get(idOf(person))}
              waiting={say('presenceExpected')}
              onBlocked={onBlocked}
              named
            />
          ))}
          <div class="self">
            <Picture stream={stream} own label={say('you')} />
            <p class="plate">{say('you')}</p>
          </div>
        </div>
        <div class="words">
          {lost && (
            <p class="banner" role="alert">
              {say('ownLost')}
            </p>
          )}
          {view.state === CallState.HELD && <p class="banner">{say('held')}</p>}
          {play && (
            <button
              type="button"
              class="button main"
              onClick={() => {
                play()
                setPlay(null)
              }}
            >
              {say('tapToHear')}
            </button>
          )}
        </div>
      </section>
      <aside class="side">
        <People view={view} />
        <Tracks view={view} stale={engine.stale()} />
      </aside>
      <footer class="controls">
        {fault && (
          <p class="fault" role="alert" data-reason={fault.reason}>
            {fault.reason === 'RECORDING_NOT_PROVEN' ? say('notProven') : `${fault.message} (${fault.reason})`}
          </p>
        )}
        <Controls engine={engine} door={door} own={own} view={view} busy={busy} act={act} />
      </footer>
    </main>
  )
}
