import { useEffect, useState } from 'preact/hooks'
import { AgentCall } from './features/call/agent'
import { CustomerCall } from './features/call/customer'
import { EndScreen } from './features/call/end'
import { CheckScreen } from './features/join/check'
import { ConsentScreen } from './features/join/consent'
import { DeviceScreen, LackScreen, NoLinkScreen, RefusedScreen } from './features/join/problems'
import { isAgent, type Screen, type Visit } from './features/join/visit'
import { ReportScreen } from './features/report/report'
import { Sheet } from './ui/parts'
import { say } from './words'

// The player is larger than all the rest: who is in a call never loads it.
const loadReplay = (): Promise<typeof import('./features/replay/replay')> => import('./features/replay/replay')

/** The screen that the visit is at. */
export function App(props: { readonly visit: Visit }) {
  const { visit } = props
  const screen = visit.screen.value
  const again = (): void => void visit.again()
  switch (screen.kind) {
    case 'opening':
      return <Sheet name="opening" title={say('opening')} />
    case 'noLink':
      return <NoLinkScreen />
    case 'replay':
      return <Later load={loadReplay} path={screen.path} />
    case 'lacking':
      return <LackScreen lack={screen.lack} />
    case 'refused':
      return <RefusedScreen error={screen.error} onRetry={again} />
    case 'consent':
      return <ConsentScreen onAgree={() => void visit.prepare(screen.seat)} />
    case 'device':
      return <DeviceScreen problem={screen.problem} onRetry={() => void visit.prepare(screen.seat)} />
    case 'check':
      return (
        <CheckScreen
          door={visit.door}
          stream={screen.stream}
          guided={!isAgent(screen.seat)}
          onJoin={() => visit.join(screen.seat, screen.stream)}
        />
      )
    case 'call':
      return <Call visit={visit} screen={screen} />
    case 'over':
      return screen.over.kind === 'ended' && isAgent(screen.seat) ? (
        <ReportScreen door={visit.door} reason={screen.over.reason} />
      ) : (
        <EndScreen over={screen.over} onBack={again} />
      )
  }
}

function Call(props: { readonly visit: Visit; readonly screen: Extract<Screen, { kind: 'call' }> }) {
  const { seat, engine, stream } = props.screen
  const { door } = props.visit
  if (engine.view.value) {
    return isAgent(seat) ? (
      <AgentCall engine={engine} door={door} stream={stream} />
    ) : (
      <CustomerCall engine={engine} stream={stream} />
    )
  }
  const waiting = engine.waiting.value
  const busy = waiting && waiting.reason !== 'NETWORK_LOST'
  const [title, text] = busy
    ? (['busyServerTitle', 'busyServerText'] as const)
    : (['offlineTitle', 'offlineText'] as const)
  return (
    <Sheet name="joining" title={say(waiting ? title : 'joining')}>
      {waiting && <p role="status">{say(text)}</p>}
    </Sheet>
  )
}

function Later(props: { readonly load: typeof loadReplay; readonly path: string }) {
  const [module, setModule] = useState<Awaited<ReturnType<typeof loadReplay>> | null>(null)
  const { load } = props
  useEffect(() => void load().then(setModule), [load])
  return module ? <module.ReplayScreen path={props.path} /> : <Sheet name="opening" title={say('opening')} />
}
