import type { Resource } from './resource'

/** How long a connection may be interrupted before a new way is looked for. */
const PATIENCE_MS = 2_000
/** How long looking for a new way may take before the connection is given up. */
const RESTART_MS = 6_000

/** Whether media flows. */
export type Flow = 'connecting' | 'up' | 'interrupted'

/** A connection for media, until it has ended by itself or by `close`. */
export interface Connection {
  readonly peer: RTCPeerConnection
  /** Resolves when the connection has ended and will not come back by itself. Never rejects. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

/**
 * Watch over a peer connection: tell how it flows, restart ICE when it is interrupted or the network changes, and end it
 * when that does not help. Whoever wants media afterwards makes another connection.
 */
export function tended(peer: RTCPeerConnection, resource: Resource, tell: (flow: Flow) => void): Connection {
  let timer: ReturnType<typeof setTimeout> | undefined
  let finish: () => void = () => undefined
  let over = false
  const ended = new Promise<void>((resolve) => {
    finish = resolve
  })
  const stop = (): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    window.removeEventListener('online', restart)
    peer.close()
    finish()
  }
  const stopUnlessUp = (): void => {
    if (peer.connectionState !== 'connected') stop()
  }
  const restart = (): void => {
    clearTimeout(timer)
    timer = setTimeout(stopUnlessUp, RESTART_MS)
    resource.restart().catch(stopUnlessUp)
  }
  peer.addEventListener('connectionstatechange', () => {
    clearTimeout(timer)
    switch (peer.connectionState) {
      case 'connected':
        tell('up')
        break
      case 'disconnected':
        tell('interrupted')
        timer = setTimeout(restart, PATIENCE_MS)
        break
      case 'failed':
        tell('interrupted')
        restart()
        break
      case 'closed':
        stop()
        break
      default:
        tell('connecting')
        timer = setTimeout(stop, RESTART_MS * 2)
    }
  })
  window.addEventListener('online', restart)
  timer = setTimeout(stop, RESTART_MS * 2)
  const close = async (): Promise<void> => {
    stop()
    await resource.remove()
  }
  return { peer, ended, close }
}
