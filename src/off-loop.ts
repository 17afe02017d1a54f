/**
 * Operations off the event loop: what a method ending in Async shares with every other. The binding begins the work on this thread and
 * returns a promise; operands are held until it settles, and so are the temporaries that cross in place of plain values.
 *
 * The promise settles when the work has ended, also after an abort: then nothing is held any more, and a result's space has come back.
 */
import { Loans } from './brackets.js'
import { relieve, withRelief, type Place } from './create.js'
import { adoptMade } from './list.js'
import { native, type Control, type NativeMade } from './native.js'
import { spaceOf, type Store } from './store.js'
import type { AsyncOptions } from './types.js'
import type { Vector } from './vector.js'
import { warnMask } from './warnings.js'
import { watched } from './watch.js'
import { checkAsync } from './windows.js'

/** What an asynchronous operation was given, checked. */
export type Watching = ReturnType<typeof checkAsync>

const ASYNC_KEYS = ['signal', 'onProgress', 'memory']

/** Takes the options of {@link AsyncOptions} out of an options object: those, checked, and the rest as it is. */
export function splitAsync(o: unknown, operation: string): [Watching, unknown] {
  if (typeof o !== 'object' || o === null) return [checkAsync(o, operation), o]
  const keys = Object.keys(o)
  const some = (isWanted: (key: string) => boolean) =>
    Object.fromEntries(keys.filter(isWanted).map(key => [key, (o as Record<string, unknown>)[key]]))
  const watching = checkAsync(
    some(key => ASYNC_KEYS.includes(key)),
    operation,
  )
  return [watching, some(key => !ASYNC_KEYS.includes(key))]
}

/**
 * Runs work of the binding off the event loop. `prepare` gets what lends tokens in `store` and returns what begins the work; `finish` makes the
 * result of what the binding resolves with. `operands` stay reachable meanwhile.
 */
export async function offLoop<N, R>(
  store: Store,
  watching: Watching,
  operands: readonly unknown[],
  prepare: (loans: Loans) => (store: number, control: Control) => Promise<N>,
  finish: (made: N) => R,
): Promise<R> {
  watching.signal?.throwIfAborted()
  const loans = new Loans(store)
  try {
    const begin = prepare(loans)
    const work = async (control: Control): Promise<{ result: R }> => {
      const made = await withRelief(() => begin(spaceOf(store).handle, control))
      // A result that nobody waits for any more is a temporary like any other.
      return { result: finish(made) }
    }
    const { result } = await watched(work, watching.signal, watching.progress, () => true)
    return result
  } finally {
    keep(operands)
    loans.end()
  }
}

/** As `result` of brackets.ts: the new temporary behind the call, in the place of a result. */
export function resultOffLoop<S extends Vector>(
  place: Place,
  watching: Watching,
  operands: readonly unknown[],
  prepare: (loans: Loans) => (store: number, control: Control) => Promise<NativeMade>,
  operation: string,
): Promise<S> {
  return offLoop(place.store, watching, operands, prepare, made => {
    native.refresh(made.token)
    const object = adoptMade<S>(place, () => {
      if (made.pressure) relieve('minor')
    })
    warnMask(made.warnings, operation)
    return object
  })
}

/** An await behind a use keeps what is used. */
function keep(_: readonly unknown[]): void {}
