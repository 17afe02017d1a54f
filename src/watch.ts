/**
 * Long native work, watched from here: its progress told in regular intervals, its end forced by a signal. The work runs on another thread
 * and keeps its numbers in a control, which is read by a timer: nothing calls into JavaScript from there.
 */
import { native, type Control } from './native.js'
import { onAbort } from './signals.js'
import type { AsyncOptions, Progress } from './types.js'

/** Milliseconds between two looks at the numbers. */
const INTERVAL = 50

const running = new Set<Control>()

/** At exit nobody waits for the rest. */
export function stopAll(): void {
  for (const control of running) native.controlStop(control)
}

/**
 * Starts `work` with a control; rejects with `signal.reason` or with what `progress` throws, and then stops the work. With `isWhole` only after
 * the work has ended; a result that an abort came too late for still counts.
 */
export async function watched<R>(
  work: (control: Control) => Promise<R>,
  signal: AbortSignal | undefined,
  progress: AsyncOptions['onProgress'],
  isWhole?: (result: R) => boolean,
): Promise<R> {
  signal?.throwIfAborted()
  const control = native.control()
  let last: Progress | undefined
  const tell = (): void => {
    const now = native.controlRead(control)
    if (now === null || (now.done === last?.done && now.unit === last.unit)) return
    last = now
    progress?.(now)
  }
  let timer: NodeJS.Timeout | undefined
  let forget = (): void => {}
  const ending = new Promise<never>((_, reject) => {
    if (signal !== undefined) {
      forget = onAbort(signal, () => {
        // Now, not in the turn that the rejection takes: the caller may go on without one.
        native.controlStop(control)
        reject(signal.reason as Error)
      })
    }
    if (progress === undefined) return
    timer = setInterval(() => {
      try {
        tell()
      } catch (e) {
        reject(e as Error)
      }
    }, INTERVAL)
  })
  ending.catch(() => {})
  running.add(control)
  const done = work(control)
  done.catch(() => {})
  try {
    const result = await Promise.race([done, ending])
    tell()
    return result
  } catch (e) {
    native.controlStop(control)
    if (isWhole !== undefined) {
      const end = await done.catch(() => undefined)
      if (end !== undefined && isWhole(end) && signal?.aborted) return end
    }
    throw e
  } finally {
    running.delete(control)
    clearInterval(timer)
    forget()
  }
}
