/**
 * Forced garbage collection, for one purpose: finalizers never run inside a synchronous loop, so a loop that makes temporaries would
 * exhaust the disk although all of them are unreachable. Weak references do read empty after a collection, so a collection followed by
 * the binding's sweep frees them. Used under allocation pressure only.
 */
import v8 from 'node:v8'
import vm from 'node:vm'

type Collect = (options: { type: 'minor' | 'major' }) => void

let collect: Collect | undefined

/** The flag is one for all threads: another one that does the same may take it away before the context is made. */
const TRIES = 50

function find(): Collect | undefined {
  const global = (globalThis as { gc?: unknown }).gc
  if (typeof global === 'function') return global as Collect
  for (let n = 0; n < TRIES; n++) {
    // The flag only matters while a new context is made: that context gets the function, nobody else sees it.
    v8.setFlagsFromString('--expose-gc')
    try {
      const found: unknown = vm.runInNewContext('globalThis.gc')
      if (typeof found === 'function') return found as Collect
    } finally {
      v8.setFlagsFromString('--no-expose-gc')
    }
  }
  return undefined
}

/**
 * Collects garbage now. A minor collection (about a millisecond) finds temporaries that died young. Does nothing where the function cannot
 * be had this time: the store is then full a little earlier.
 */
export function collectGarbage(type: 'minor' | 'major'): void {
  collect ??= find()
  collect?.({ type })
}
