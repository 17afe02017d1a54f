/**
 * The thread's default store, and where results go: into `into`, else the operand's store, else the default, else an anonymous scratch
 * file in `tmpDir`, which exists only as long as this thread uses it.
 */
import { placeIn, type Place } from './create.js'
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { checkFlag, checkKeys, isGiven } from './options.js'
import { openAnonymous } from './opening.js'
import { spaceOf, Store } from './store.js'

let defaultStore: Store | null = null
let anonymousStore: Store | null = null

/** The default store of this thread. */
export function getDefault(): Store | null {
  return defaultStore
}

export function setDefault(store: Store | null): void {
  defaultStore = store
}

/** The store a constructor without an explicit one uses. Throws NOT_INITIALIZED without one. */
export function requireDefault(): Store {
  return (
    defaultStore ??
    fail(
      'NOT_INITIALIZED',
      'fmalloc is not initialized: call initFmalloc(filepath) first, or pass a runtime from openFmalloc',
    )
  )
}

/** A writable store for something that has none of its own. */
export function fallbackStore(): Store {
  if (defaultStore !== null && accepts(defaultStore)) return defaultStore
  if (anonymousStore === null || !accepts(anonymousStore)) anonymousStore = openAnonymous()
  return anonymousStore
}

function accepts(store: Store): boolean {
  const space = spaceOf(store)
  return space.accepting && !space.readOnly
}

const RESULT_KEYS = ['name', 'replace', 'keep', 'into']

/** Checks ResultOptions and chooses the place of a result whose operand is `operand`. */
export function placeResult(operand: Handle, options: unknown, operation: string): Place {
  const raw = checkKeys(options, RESULT_KEYS, operation)
  const keep = checkFlag(raw['keep'], false, 'keep')
  return placeIn(resultStore(operand, raw['into'], operation), raw, keep)
}

function resultStore(operand: Handle, into: unknown, operation: string): Store {
  if (isGiven(into)) {
    if (!(into instanceof Store))
      return fail('ARGUMENT', `${operation}: into must be a Store, not ${show(into)}`)
    return into
  }
  const own = operand.store
  // A store after cleanupFmalloc still counts as home: it says "runtime is closed" rather than filling a file nobody chose.
  return own !== null && !operand.space.readOnly ? own : fallbackStore()
}
