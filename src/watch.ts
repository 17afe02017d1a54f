/**
 * Long native work, watched from here: its progress told in regular intervals, its end forced by a signal. The work runs on another thread
 * and keeps its numbers in a control, which is read by a timer: nothing calls into JavaScript from there.
 */
import { native, type Control } from './native.js'
import type { AsyncOptions, Progress } from './types.js'

/** Milliseconds between two looks at the numbers. */
const INTERVAL = 50

/** Starts `work` with a control; rejects with `signal.reason` or with what `progress` throws, and then stops the work. */
export async function watched<R>(
  work: (control: Control) => Promise<R>,
  signal: AbortSignal | undefined,
  progress: AsyncOptions['onProgress'],
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
  let stopped: (() => void) | undefined
  const ending = new Promise<never>((_, reject) => {
    stopped = () => reject(signal?.reason as Error)
    signal?.addEventListener('abort', stopped, { once: true })
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
  const done = work(control)
  done.catch(() => {})
  try {
    const result = await Promise.race([done, ending])
    tell()
    return result
  } catch (e) {
    native.controlStop(control)
    throw e
  } finally {
    clearInterval(timer)
    if (stopped !== undefined) signal?.removeEventListener('abort', stopped)
  }
}
