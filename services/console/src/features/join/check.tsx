import { useEffect, useState } from 'preact/hooks'
import type { Door } from '../../api/door'
import { meter } from '../../media/devices'
import { Picture, Top } from '../../ui/parts'
import { say } from '../../words'
import './join.css'

/** Round trips above this are felt in a conversation. */
const SLOW_MS = 400
const HEARD_LEVEL = 0.35

type Network = { readonly kind: 'asking' } | { readonly kind: 'lost' } | { readonly kind: 'known'; readonly ms: number }

/** Own picture with a face guide, level meter, network: whoever goes on from here can be seen and heard. */
export function CheckScreen(props: {
  readonly door: Door
  readonly stream: MediaStream
  readonly guided: boolean
  readonly onJoin: () => void
}) {
  const [level, setLevel] = useState(0)
  const [heard, setHeard] = useState(false)
  const [network, setNetwork] = useState<Network>({ kind: 'asking' })
  const { door, stream } = props
  useEffect(
    () =>
      meter(stream, (now) => {
        setLevel(now)
        if (now > HEARD_LEVEL) setHeard(true)
      }),
    [stream],
  )
  useEffect(() => {
    let gone = false
    const ask = async (): Promise<void> => {
      const found = await door.roundTripMs().then(
        (ms): Network => ({ kind: 'known', ms: Math.round(ms) }),
        (): Network => ({ kind: 'lost' }),
      )
      if (!gone) setNetwork(found)
      if (!gone && found.kind === 'lost') setTimeout(() => void ask(), 2000)
    }
    void ask()
    return () => {
      gone = true
    }
  }, [door])
  const live = stream.getVideoTracks().some((track) => track.readyState === 'live' && !track.muted)
  return (
    <main class="sheet" data-screen="check">
      <Top />
      <h1>{say('checkTitle')}</h1>
      <div class="mirror">
        <Picture stream={stream} own label={say('you')} />
        {props.guided && (
          <>
            <svg class="guide" viewBox="0 0 100 75" aria-hidden="true">
              <ellipse cx="50" cy="35" rx="17" ry="23" />
            </svg>
            <p class="guide-text">{say('checkFace')}</p>
          </>
        )}
      </div>
      <ul class="checks">
        <Check done={live} text={say(live ? 'checkPicture' : 'checkNoPicture')} />
        <Check done={heard} text={say(heard ? 'checkHeard' : 'checkSpeak')}>
          <meter min={0} max={1} value={level} aria-label={say('kindAudio')} />
        </Check>
        <NetworkCheck network={network} />
      </ul>
      <div class="middle" />
      <div class="foot">
        <button type="button" class="button main wide" disabled={network.kind === 'lost'} onClick={props.onJoin}>
          {say('checkJoin')}
        </button>
      </div>
    </main>
  )
}

function Check(props: { readonly done: boolean; readonly text: string; readonly children?: preact.ComponentChildren }) {
  return (
    <li>
      <span class={props.done ? 'tone-pass' : 'quiet'} aria-hidden="true">
        {props.done ? '✓' : '○'}
      </span>
      <span>{props.text}</span>
      {props.children}
    </li>
  )
}

function NetworkCheck(props: { readonly network: Network }) {
  const { network } = props
  switch (network.kind) {
    case 'asking':
      return <Check done={false} text={say('checkNetwork')} />
    case 'lost':
      return <Check done={false} text={say('checkNetworkLost')} />
    case 'known': {
      const slow = network.ms > SLOW_MS
      return <Check done={!slow} text={say(slow ? 'checkNetworkSlow' : 'checkNetworkGood', { ms: network.ms })} />
    }
  }
}
