import { useEffect, useRef, useState } from 'preact/hooks'
import { Top } from '../../ui/parts'
import { say } from '../../words'
import { position } from '../../words/names'
import { type Player, play } from './player'
import './replay.css'

/** Further than this apart, the second picture is set to the first one's position. */
const APART_S = 0.15
const SIDES = ['customer', 'agent'] as const

/** Customer and agent side by side on one timeline, by the link that CreateReplay gave. */
export function ReplayScreen(props: { readonly path: string }) {
  const folder = props.path.slice(0, props.path.lastIndexOf('/') + 1)
  const customer = useRef<HTMLVideoElement>(null)
  const agent = useRef<HTMLVideoElement>(null)
  const [found, setFound] = useState<readonly (boolean | null)[]>([null, null])
  const [at, setAt] = useState(0)
  const [length, setLength] = useState(0)
  const [playing, setPlaying] = useState(false)
  const elements = (): HTMLVideoElement[] =>
    [customer.current, agent.current].filter((each): each is HTMLVideoElement => each !== null && each.readyState > 0)

  useEffect(() => {
    const players: Player[] = []
    for (const [index, element] of [customer.current, agent.current].entries()) {
      if (!element) continue
      const player = play(element, `${folder}${SIDES[index]}.m3u8`)
      players.push(player)
      void player.ready.then((ok) => setFound((before) => before.map((was, place) => (place === index ? ok : was))))
    }
    return () => {
      for (const player of players) player.stop()
    }
  }, [folder])

  useEffect(() => {
    const timer = setInterval(() => {
      const [first, second] = elements()
      if (!first) return
      setAt(first.currentTime)
      setLength(Math.max(...elements().map((each) => (Number.isFinite(each.duration) ? each.duration : 0))))
      setPlaying(!first.paused && !first.ended)
      if (second && !first.seeking && Math.abs(second.currentTime - first.currentTime) > APART_S) {
        second.currentTime = first.currentTime
      }
    }, 200)
    return () => clearInterval(timer)
  })

  const toggle = (): void => {
    for (const each of elements()) {
      if (playing) each.pause()
      else void each.play().catch(() => undefined)
    }
  }
  const seek = (seconds: number): void => {
    for (const each of elements()) each.currentTime = seconds
  }
  const refused = found.every((each) => each === false)
  return (
    <main class="replay" data-screen="replay" data-found={found.filter(Boolean).length}>
      <Top />
      <h1>{say('replayTitle')}</h1>
      {refused && <p role="alert">{say('replayRefused')}</p>}
      <div class="pair">
        <figure hidden={found[0] === false}>
          <video ref={customer} playsInline aria-label={say('roleCustomer')} />
          <figcaption>{say('roleCustomer')}</figcaption>
        </figure>
        <figure hidden={found[1] === false}>
          <video ref={agent} playsInline aria-label={say('roleAgent')} />
          <figcaption>{say('roleAgent')}</figcaption>
        </figure>
      </div>
      <div class="row">
        <button type="button" class="button main" disabled={refused} onClick={toggle}>
          {say(playing ? 'replayPause' : 'replayPlay')}
        </button>
        <input
          type="range"
          min={0}
          max={Math.max(length, 0.1)}
          step={0.1}
          value={at}
          aria-label={say('replayPosition')}
          onInput={(event) => seek(Number(event.currentTarget.value))}
        />
        <span>
          {position(at * 1000)} / {position(length * 1000)}
        </span>
      </div>
    </main>
  )
}
