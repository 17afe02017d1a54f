/**
 * Listening for an abort. One signal may stop any number of operations at once: they share one listener of the signal, since Node takes more
 * than ten for a leak and warns.
 */

interface Shared {
  readonly listeners: Set<() => void>
  readonly tell: () => void
}

const shared = new WeakMap<AbortSignal, Shared>()

/** Calls `listener` when the signal, which has not aborted yet, does, unless the function that is returned was called before. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const mine = shared.get(signal) ?? listen(signal)
  mine.listeners.add(listener)
  return () => {
    mine.listeners.delete(listener)
    if (mine.listeners.size > 0 || shared.get(signal) !== mine) return
    shared.delete(signal)
    signal.removeEventListener('abort', mine.tell)
  }
}

function listen(signal: AbortSignal): Shared {
  const listeners = new Set<() => void>()
  const tell = (): void => {
    shared.delete(signal)
    for (const listener of listeners) listener()
  }
  signal.addEventListener('abort', tell, { once: true })
  const made = { listeners, tell }
  shared.set(signal, made)
  return made
}
