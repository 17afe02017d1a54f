/**
 * Windows over a long vector: subarrays, each short enough for a view on every Node. The asynchronous kind reads the next window's pages in
 * while the caller works on the current one.
 */
import { checkFixed } from './dtype.js'
import { fail, show } from './errors.js'
import { WINDOW } from './memory.js'
import { native } from './native.js'
import { checkKeys, isGiven, MIB, parseBytes } from './options.js'
import { onAbort } from './signals.js'
import type { AsyncOptions, FixedType } from './types.js'
import { partsOf, type Parts, type Vector } from './vector.js'

const WINDOW_DEFAULT = 64 * MIB

/** Elements of one window: whole elements, at least one, at most 1 GiB. */
function windowLength({ handle }: Parts, raw: Readonly<Record<string, unknown>>): number {
  const bytes = isGiven(raw['bytes']) ? parseBytes(raw['bytes'], 'bytes') : WINDOW_DEFAULT
  return Math.max(1, Math.floor(Math.min(bytes, WINDOW) / handle.dtype.width))
}

/** Vector.windows. Arguments are checked now, not at the first step. */
export function windows(v: Vector<FixedType>, o: unknown): IterableIterator<Vector<FixedType>> {
  const raw = checkKeys(o, ['bytes'], 'windows')
  const parts = partsOf(v)
  checkFixed(parts.handle.dtype, 'windows', 'subarray() or a loop over the vector')
  const step = windowLength(parts, raw)
  parts.handle.check()
  return each(v, step)
}

function* each(v: Vector<FixedType>, step: number): IterableIterator<Vector<FixedType>> {
  for (let at = 0; at < v.length; at += step) yield v.subarray(at, Math.min(at + step, v.length))
}

/** Vector.windowsAsync. Arguments are checked now; what happens later rejects. */
export function windowsAsync(v: Vector<FixedType>, o: unknown): AsyncIterableIterator<Vector<FixedType>> {
  const raw = checkKeys(o, ['bytes', 'signal'], 'windowsAsync')
  const signal = checkSignal(raw['signal'])
  const parts = partsOf(v)
  checkFixed(parts.handle.dtype, 'windowsAsync', 'subarray() or a loop over the vector')
  const step = windowLength(parts, raw)
  parts.handle.check()
  return eachAsync(v, parts, step, signal)
}

async function* eachAsync(
  v: Vector<FixedType>,
  parts: Parts,
  step: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Vector<FixedType>, void, undefined> {
  let next = read(parts, 0, Math.min(step, v.length))
  for (let at = 0; at < v.length; at += step) {
    await abortable(next, signal)
    const after = at + step
    next = read(parts, after, Math.min(after + step, v.length))
    yield v.subarray(at, Math.min(after, v.length))
  }
}

/** Reads elements [from, to) in. An error nobody waits for any more (the loop ended early) is dropped. */
function read({ handle, start }: Parts, from: number, to: number): Promise<void> {
  if (to <= from || !handle.isAlive()) return Promise.resolve()
  const { width } = handle.dtype
  const done = native.prefetch(handle.token, (start + from) * width, (start + to) * width)
  done.catch(() => {})
  return done
}

/** Vector.prefetch. */
export async function prefetchRange(parts: Parts, o: AsyncOptions | undefined): Promise<void> {
  const { signal, progress } = checkAsync(o, 'prefetch')
  parts.handle.check()
  signal?.throwIfAborted()
  const { width } = parts.handle.dtype
  const total = parts.length * width
  // In pieces, so that an abort stops the reading and progress means something.
  const piece = Math.floor(WINDOW_DEFAULT / width)
  for (let at = 0; at < parts.length; at += piece) {
    const to = Math.min(at + piece, parts.length)
    parts.handle.check()
    await abortable(read(parts, at, to), signal)
    progress?.({ done: to * width, total, unit: 'bytes' })
  }
}

/** Checks the options every asynchronous operation takes, and `extra` ones. */
export function checkAsync(
  o: unknown,
  where: string,
  extra: readonly string[] = [],
): { signal: AbortSignal | undefined; progress: NonNullable<AsyncOptions['onProgress']> | undefined } {
  const raw = checkKeys(o, ['signal', 'onProgress', 'memory', ...extra], where)
  const progress = raw['onProgress']
  if (isGiven(progress) && typeof progress !== 'function') {
    fail('ARGUMENT', `${where}: onProgress must be a function, not ${show(progress)}`)
  }
  if (isGiven(raw['memory'])) parseBytes(raw['memory'], 'memory')
  return {
    signal: checkSignal(raw['signal']),
    progress: (progress ?? undefined) as NonNullable<AsyncOptions['onProgress']> | undefined,
  }
}

function checkSignal(signal: unknown): AbortSignal | undefined {
  if (!isGiven(signal)) return undefined
  if (!(signal instanceof AbortSignal))
    return fail('ARGUMENT', `signal must be an AbortSignal, not ${show(signal)}`)
  return signal
}

/** The promise, or a rejection with `signal.reason` as soon as the signal aborts. */
export async function abortable<R>(promise: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (signal === undefined) return promise
  promise.catch(() => {})
  signal.throwIfAborted()
  let forget = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => reject(signal.reason as Error))
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    forget()
  }
}
