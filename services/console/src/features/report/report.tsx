import { Outcome } from '@protos/shuanglu/common/v1/types_pb'
import type { Gap } from '@protos/shuanglu/media/v1/track_pb'
import type { Finding } from '@protos/shuanglu/quality/v1/finding_pb'
import type { Report } from '@protos/shuanglu/report/v1/report_pb'
import { EndReason } from '@protos/shuanglu/session/v1/call_pb'
import { useEffect, useState } from 'preact/hooks'
import type { Door } from '../../api/door'
import type { ApiError } from '../../api/errors'
import { Top } from '../../ui/parts'
import { chosen, say, type Word } from '../../words'
import { END, GAP, position, verdictOf } from '../../words/names'
import { waitForReport } from './wait'
import './report.css'

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'there'; readonly report: Report }
  | { readonly kind: 'failed'; readonly error: ApiError }

/** The agent's end of a call: why it ended, and the report as soon as it is there. */
export function ReportScreen(props: { readonly door: Door; readonly reason: EndReason }) {
  const { door } = props
  const [state, setState] = useState<State>({ kind: 'waiting' })
  useEffect(() => {
    const stop = new AbortController()
    waitForReport(door, stop.signal).then(
      (report) => report && setState({ kind: 'there', report }),
      (error: ApiError) => setState({ kind: 'failed', error }),
    )
    return () => stop.abort()
  }, [door])
  return (
    <main class="report" data-screen={`report-${state.kind}`}>
      <Top />
      <h1>{say('endedTitle')}</h1>
      {props.reason !== EndReason.COMPLETED && <p class="quiet">{say(END[props.reason])}</p>}
      {state.kind === 'waiting' && <p role="status">{say('reportWaiting')}</p>}
      {state.kind === 'failed' && (
        <p role="alert">
          {say('reportFailed')} ({state.error.reason})
        </p>
      )}
      {state.kind === 'there' && <Findings report={state.report} door={door} />}
    </main>
  )
}

/** Verdict first, then what failed, then what is unsure, then the rest. */
function Findings(props: { readonly report: Report; readonly door: Door }) {
  const { report, door } = props
  const findings = report.result?.findings ?? []
  const verdict = verdictOf(report.verdict)
  const failed = findings.filter((each) => each.outcome === Outcome.FAIL)
  const passed = findings.filter((each) => each.outcome === Outcome.PASS)
  const unsure = findings.filter((each) => each.outcome !== Outcome.FAIL && each.outcome !== Outcome.PASS)
  return (
    <>
      <div class="row between">
        <h2>{say('reportTitle')}</h2>
        <span class={`badge large tone-${verdict.tone}`} data-verdict={verdict.tone}>
          {verdict.sign} {say(verdict.word)}
        </span>
      </div>
      <Group title="sectionFail" findings={failed} />
      <Group title="sectionUnsure" findings={unsure} />
      <Gaps gaps={report.result?.gaps ?? []} />
      <Group title="sectionPass" findings={passed} />
      <div class="row">
        <PdfButton door={door} />
        <span class="note">{say('replayHint')}</span>
      </div>
    </>
  )
}

function Group(props: { readonly title: Word; readonly findings: readonly Finding[] }) {
  if (props.findings.length === 0) return null
  return (
    <section>
      <h3>
        {say(props.title)} ({props.findings.length})
      </h3>
      <ul class="findings">
        {props.findings.map((finding) => (
          <Row key={finding.findingId} finding={finding} />
        ))}
      </ul>
    </section>
  )
}

function Row(props: { readonly finding: Finding }) {
  const { finding } = props
  const outcome = verdictOf(finding.outcome)
  const where = finding.interval
  return (
    <li data-check={finding.checkId}>
      <span class={`tone-${outcome.tone}`}>{outcome.sign}</span>
      <span>{chosen(finding.messageZh, finding.messageEn)}</span>
      <span class="time quiet">
        {where ? `${position(Number(where.startMs))}–${position(Number(where.endMs))}` : ''}
      </span>
      {finding.outcome !== Outcome.PASS && (
        <span class="note wanted">
          {say('wanted')}: {chosen(finding.expectedZh, finding.expectedEn)}
        </span>
      )}
    </li>
  )
}

function Gaps(props: { readonly gaps: readonly Gap[] }) {
  if (props.gaps.length === 0) return null
  return (
    <section>
      <h3>
        {say('sectionGaps')} ({props.gaps.length})
      </h3>
      <ul class="findings">
        {props.gaps.map((gap) => (
          <li key={`${gap.trackId}${gap.startMs}`}>
            <span>░</span>
            <span>
              {gap.trackId} · {say(GAP[gap.cause])}
            </span>
            <span class="time quiet">
              {position(Number(gap.startMs))}–{position(Number(gap.endMs))}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function PdfButton(props: { readonly door: Door }) {
  const [failed, setFailed] = useState(false)
  const download = async (): Promise<void> => {
    setFailed(false)
    try {
      const url = URL.createObjectURL(await props.door.reportPdf())
      const anchor = document.createElement('a')
      anchor.href = url
      anchor.download = 'report.pdf'
      anchor.click()
      setTimeout(() => URL.revokeObjectURL(url), 10_000)
    } catch {
      setFailed(true)
    }
  }
  return (
    <button type="button" class="button" onClick={() => void download()}>
      {say(failed ? 'reportFailed' : 'reportPdf')}
    </button>
  )
}
