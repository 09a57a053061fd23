import Hls from 'hls.js'

/** One person's picture and voice. */
export interface Player {
  readonly ready: Promise<boolean>
  stop(): void
}

/** Play a playlist in a video element: by Media Source Extensions, or by the browser itself where it has none (iPhone). */
export function play(video: HTMLVideoElement, url: string): Player {
  if (!Hls.isSupported()) {
    video.src = url
    return { ready: loaded(video), stop: () => video.removeAttribute('src') }
  }
  // No worker: the pages' policy allows no script but their files.
  const hls = new Hls({ enableWorker: false, maxBufferLength: 30, backBufferLength: 60 })
  const ready = new Promise<boolean>((resolve) => {
    hls.on(Hls.Events.MANIFEST_PARSED, () => resolve(true))
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError()
      else resolve(false)
    })
  })
  hls.loadSource(url)
  hls.attachMedia(video)
  return { ready, stop: () => hls.destroy() }
}

function loaded(video: HTMLVideoElement): Promise<boolean> {
  return new Promise((resolve) => {
    video.addEventListener('loadedmetadata', () => resolve(true), { once: true })
    video.addEventListener('error', () => resolve(false), { once: true })
  })
}
