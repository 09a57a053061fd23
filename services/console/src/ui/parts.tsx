import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { otherLanguage, say } from '../words'

/** Product's name and the language switch. */
export function Top() {
  return (
    <header class="top">
      <span>{say('product')}</span>
      <button type="button" class="button small" onClick={otherLanguage}>
        {say('language')}
      </button>
    </header>
  )
}

/** One thing to read and one thing to do: every screen of the customer but the call itself. */
export function Sheet(props: {
  readonly name: string
  readonly sign?: string
  readonly title: string
  readonly children?: ComponentChildren
  readonly foot?: ComponentChildren
}) {
  return (
    <main class="sheet" data-screen={props.name}>
      <Top />
      <div class="middle">
        {props.sign && (
          <div class="mark" aria-hidden="true">
            {props.sign}
          </div>
        )}
        <h1>{props.title}</h1>
        {props.children}
      </div>
      <div class="foot">{props.foot}</div>
    </main>
  )
}

/** A stream's picture; with its sound unless it is one's own. */
export function Picture(props: {
  readonly stream: MediaStream | null
  readonly own?: boolean
  readonly label: string
  readonly blocked?: (play: () => void) => void
}) {
  const element = useRef<HTMLVideoElement>(null)
  const { stream, blocked } = props
  useEffect(() => {
    const video = element.current
    if (!video) return
    video.srcObject = stream
    if (!stream) return
    const play = (): void => {
      video.play().catch((thrown: unknown) => {
        // Without a touch some browsers play no sound.
        if (thrown instanceof DOMException && thrown.name === 'NotAllowedError') blocked?.(play)
      })
    }
    play()
  }, [stream, blocked])
  return (
    <video
      ref={element}
      class={props.own ? 'own' : 'other'}
      aria-label={props.label}
      muted={props.own ?? false}
      playsInline
      autoplay
    />
  )
}

/** Asks before something that cannot be undone. */
export function Dialog(props: {
  readonly title: string
  readonly children: ComponentChildren
  readonly onClose: () => void
}) {
  const box = useRef<HTMLDivElement>(null)
  const { onClose } = props
  useEffect(() => {
    box.current?.querySelector<HTMLElement>('button')?.focus()
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') onClose()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [onClose])
  return (
    <div class="veil">
      <div class="dialog" role="dialog" aria-modal="true" aria-label={props.title} ref={box}>
        <h2>{props.title}</h2>
        {props.children}
      </div>
    </div>
  )
}

/** Copies a text, and says so. */
export function CopyButton(props: { readonly text: string; readonly main?: boolean }) {
  const [copied, setCopied] = useState(false)
  const copy = async (): Promise<void> => {
    await navigator.clipboard?.writeText(props.text).catch(() => undefined)
    setCopied(true)
  }
  return (
    <button type="button" class={props.main ? 'button main wide' : 'button small'} onClick={() => void copy()}>
      {copied ? say('copied') : say('copy')}
    </button>
  )
}

/** Runs again and again while it is on the page, so that times and ages move. */
export function useTick(everyMs: number): void {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
}
