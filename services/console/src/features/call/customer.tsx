import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import { CallState, type CallView } from '@protos/shuanglu/session/v1/call_pb'
import { useCallback, useState } from 'preact/hooks'
import { Dialog, Picture, useTick } from '../../ui/parts'
import { chosen, otherLanguage, say } from '../../words'
import { clock } from '../../words/names'
import { Lamp } from '../recording/lamp'
import type { CallEngine } from './engine'
import { idOf, othersOf, ownOf } from './people'
import { Tile } from './tile'
import './call.css'

/** The customer's call, and that of a third person: the agent large, oneself small, the step in plain words. */
export function CustomerCall(props: { readonly engine: CallEngine; readonly stream: MediaStream }) {
  const { engine, stream } = props
  const view = engine.view.value
  const [leaving, setLeaving] = useState(false)
  const [play, setPlay] = useState<(() => void) | null>(null)
  const onBlocked = useCallback((retry: () => void) => setPlay(() => retry), [])
  const onStay = useCallback(() => setLeaving(false), [])
  useTick(1000)
  if (!view) return null
  const [first, ...others] = othersOf(view, ParticipantRole.AGENT)
  const interrupted = engine.own.value === 'interrupted' || (engine.stale() && !engine.heard.value)
  return (
    <main class="customer stage" data-screen="call" data-flow={engine.own.value}>
      <div class="others">
        {first && (
          <Tile
            person={first}
            remote={engine.remotes.value.get(idOf(first))}
            waiting={say('waitingAgent')}
            onBlocked={onBlocked}
            named
          />
        )}
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
      </div>
      <header class="bar">
        <Lamp proof={view.recording} stale={engine.stale()} />
        <span class="row">
          {view.startedAtUs > 0n && <span>{clock(engine.elapsedMs())}</span>}
          <button type="button" class="button small ghost" onClick={otherLanguage}>
            {say('language')}
          </button>
        </span>
      </header>
      <div class="self">
        <Picture stream={stream} own label={say('you')} />
      </div>
      <footer class="words">
        {interrupted && (
          <p class="banner" role="alert">
            {say('ownLost')}
          </p>
        )}
        {!interrupted && engine.own.value === 'connecting' && <p class="banner">{say('ownConnecting')}</p>}
        {view.state === CallState.HELD && <p class="banner">{say('held')}</p>}
        {play && (
          <button
            type="button"
            class="button main wide"
            onClick={() => {
              play()
              setPlay(null)
            }}
          >
            {say('tapToHear')}
          </button>
        )}
        <StepWords view={view} />
        <button type="button" class="button ghost" onClick={() => setLeaving(true)}>
          {say('leave')}
        </button>
      </footer>
      {leaving && (
        <Dialog title={say('leave')} onClose={onStay}>
          <p>{say('leaveAsk')}</p>
          <div class="row end">
            <button type="button" class="button" onClick={onStay}>
              {say('cancel')}
            </button>
            <button type="button" class="button grave" onClick={() => void engine.leave()}>
              {say('leave')}
            </button>
          </div>
        </Dialog>
      )}
    </main>
  )
}

function StepWords(props: { readonly view: CallView }) {
  const { view } = props
  const node = view.script.find((each) => each.nodeId === view.currentNodeId)
  if (!node) return <p class="step-words">{say('stepNone')}</p>
  const mine = node.readBy !== ParticipantRole.UNSPECIFIED && node.readBy === ownOf(view)?.participant?.role
  return (
    <div class="step-words" data-node={node.nodeId} aria-live="polite">
      <p class="note">{say('stepNow')}</p>
      <p class="step-title">{chosen(node.titleZh, node.titleEn)}</p>
      <p class="note">{say(mine ? 'stepRead' : 'stepListen')}</p>
      {mine && node.text && <p class="read-aloud">{node.text}</p>}
    </div>
  )
}
