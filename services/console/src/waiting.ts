/** Growing pauses between attempts, so that a server that comes back is not run over. */
export class Backoff {
  private count = 0

  /** Milliseconds to wait before the next attempt: 0.3 s to 5 s, with a part of chance. */
  next(): number {
    const full = Math.min(300 * 2 ** this.count, 5000)
    this.count += 1
    return full * (0.75 + Math.random() / 4)
  }

  reset(): void {
    this.count = 0
  }
}

/** Wait; ends early, and without an error, when the signal is given or the network comes back. */
export function sleep(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      window.removeEventListener('online', done)
      stop.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, stop.aborted ? 0 : milliseconds)
    window.addEventListener('online', done)
    stop.addEventListener('abort', done)
  })
}

/** Given as soon as one of two is. */
export function either(one: AbortSignal, other: AbortSignal): AbortSignal {
  const both = new AbortController()
  for (const signal of [one, other]) {
    if (signal.aborted) both.abort()
    else signal.addEventListener('abort', () => both.abort(), { once: true })
  }
  return both.signal
}

/** Resolves when the signal is given. */
export function given(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
