import { useEffect, useRef, useState } from 'preact/hooks'
import { Top } from '../../ui/parts'
import { say } from '../../words'
import { position } from '../../words/names'
import { type Player, play } from './player'
import './replay.css'

/** Further than this apart, the second picture is set to the first one's position. */
const APART_S = 0.15
const SIDES = ['customer', 'agent'] as const

/** Far enough from where something would play next that the player must be told. */
const FAR_S = 10

/**
 * Keep one player at another one's position. Where it has nothing to show, as in a gap, it waits for the position to get
 * past: a player on its own would jump over the gap. False while it waits.
 */
function follow(lead: HTMLVideoElement, other: HTMLVideoElement): boolean {
  const at = lead.currentTime
  const apart = Math.abs(other.currentTime - at)
  if (!holds(other.buffered, at)) {
    if (!other.paused) other.pause()
    if (apart > FAR_S) other.currentTime = at
    return false
  }
  if (apart > APART_S && !other.seeking) other.currentTime = at
  if (lead.paused !== other.paused) lead.paused ? other.pause() : void other.play().catch(() => undefined)
  return true
}

function holds(ranges: TimeRanges, at: number): boolean {
  for (let index = 0; index < ranges.length; index += 1) {
    if (ranges.start(index) <= at && at < ranges.end(index)) return true
  }
  return false
}

/** Customer and agent side by side on one timeline, by the link that CreateReplay gave. */
export function ReplayScreen(props: { readonly path: string }) {
  const folder = props.path.slice(0, props.path.lastIndexOf('/') + 1)
  const customer = useRef<HTMLVideoElement>(null)
  const agent = useRef<HTMLVideoElement>(null)
  const [found, setFound] = useState<readonly (boolean | null)[]>([null, null])
  const [at, setAt] = useState(0)
  const [length, setLength] = useState(0)
  const [playing, setPlaying] = useState(false)
  const [hole, setHole] = useState(false)
  const elements = (): HTMLVideoElement[] =>
    [customer.current, agent.current].filter((each): each is HTMLVideoElement => each !== null && !each.hidden)

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
      const [lead, ...others] = elements()
      if (!lead) return
      setAt(lead.currentTime)
      setLength(Math.max(...elements().map((each) => (Number.isFinite(each.duration) ? each.duration : 0))))
      setPlaying(!lead.paused && !lead.ended)
      for (const other of others) setHole(!follow(lead, other))
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
          <video ref={customer} hidden={found[0] === false} playsInline aria-label={say('roleCustomer')} />
          <figcaption>{say('roleCustomer')}</figcaption>
        </figure>
        <figure hidden={found[1] === false}>
          <video ref={agent} hidden={found[1] === false} playsInline aria-label={say('roleAgent')} />
          <figcaption>
            {say('roleAgent')}
            {hole && at > 0 && <span class="note"> · {say('replayGap')}</span>}
          </figcaption>
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
