import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import { CallState, type CallView } from '@protos/shuanglu/session/v1/call_pb'
import { chosen, say } from '../../words'
import { ROLE } from '../../words/names'
import { type Step, stepsOf } from './progress'
import './script.css'

/** The script with its buttons: start, finish, once more. The next thing to do is the one coloured button. */
export function Script(props: {
  readonly view: CallView
  readonly busy: boolean
  readonly onStart: (nodeId: string) => void
  readonly onFinish: (nodeId: string) => void
}) {
  const { view } = props
  const closed = props.busy || view.state === CallState.HELD
  return (
    <section class="panel script" aria-label={say('script')}>
      <h3>{say('script')}</h3>
      {view.takes.length === 0 && <p class="note">{say('startHint')}</p>}
      <ol>
        {stepsOf(view).map((step, index) => (
          <Row
            key={step.node.nodeId}
            step={step}
            number={index + 1}
            closed={closed}
            idle={!view.currentNodeId}
            {...props}
          />
        ))}
      </ol>
    </section>
  )
}

function Row(props: {
  readonly step: Step
  readonly number: number
  readonly closed: boolean
  readonly idle: boolean
  readonly onStart: (nodeId: string) => void
  readonly onFinish: (nodeId: string) => void
}) {
  const { step, number, closed } = props
  const { nodeId } = step.node
  return (
    <li
      class={`step ${step.kind}`}
      data-node={nodeId}
      data-state={step.kind}
      aria-current={step.kind === 'running' ? 'step' : undefined}
    >
      <div class="row between">
        <span class="title">
          <span class={step.kind === 'done' ? 'tone-pass sign' : 'sign'} aria-hidden="true">
            {step.kind === 'done' ? '✓' : step.kind === 'running' ? '▸' : number}
          </span>
          <span>
            {chosen(step.node.titleZh, step.node.titleEn)}
            {step.kind !== 'open' && step.take > 1 && <span class="note"> · {say('take', { take: step.take })}</span>}
          </span>
        </span>
        {step.kind === 'running' && (
          <button type="button" class="button small main" disabled={closed} onClick={() => props.onFinish(nodeId)}>
            {say('finish')}
          </button>
        )}
        {step.kind === 'open' && (
          <button
            type="button"
            class={step.next && props.idle ? 'button small main' : 'button small'}
            disabled={closed}
            onClick={() => props.onStart(nodeId)}
          >
            {say('start')}
          </button>
        )}
        {step.kind === 'done' && (
          <button type="button" class="button small" disabled={closed} onClick={() => props.onStart(nodeId)}>
            {say('retake')}
          </button>
        )}
      </div>
      {(step.kind === 'running' || (step.kind === 'open' && step.next)) && <Reading step={step} />}
    </li>
  )
}

function Reading(props: { readonly step: Step }) {
  const { text, readBy } = props.step.node
  const reader = readBy === ParticipantRole.AGENT ? say('readByYou') : say('readBy', { who: say(ROLE[readBy]) })
  return (
    <div class="reading">
      {readBy !== ParticipantRole.UNSPECIFIED && <span class="note">{reader}</span>}
      {text && <p>{text}</p>}
    </div>
  )
}
