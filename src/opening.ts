/**
 * Opening stores, and what this thread has open: one registry for the users' buffers of each store, one for openRef, the hook that syncs at
 * exit, and the net under handles nobody closed.
 */
import { isMainThread } from 'node:worker_threads'
import { isFmallocError } from './errors.js'
import { Space } from './memory.js'
import { native, type StoreFacts } from './native.js'
import { option, type Opening } from './options.js'
import { makeStore, type Store } from './store.js'
import { UserBuffers } from './views.js'
import { warn } from './warnings.js'
import { stopAll } from './watch.js'

/** Users' buffers of each store this thread has open, by path and uuid (a copied file has the same uuid). */
const users = new Map<string, UserBuffers>()
/** Stores of this thread, for openRef. */
const opened = new Set<WeakRef<Store>>()
/** A handle nobody closed and nobody can reach any more gives its hold back. */
const finalizers = new FinalizationRegistry<Space>(space => {
  if (!space.open) return
  space.close()
  native.storeClose(space.handle)
})
let exitHooked = false

/** Most milliseconds between two tries: a lock that comes free is noticed about that fast. */
const LONGEST_PAUSE = 25
/** Nobody ever notifies this: for waiting. */
const never = new Int32Array(new SharedArrayBuffer(4))

/**
 * Opens a file; path and options are checked already. Waits for the lock here and not in native code, which the end of a worker or of the
 * process could not interrupt.
 */
export function openStore(path: string, { lockTimeout = 0, ...options }: Opening): Store {
  const last = performance.now() + lockTimeout
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return enter(native.storeOpen(path, options))
    } catch (e) {
      const left = last - performance.now()
      if (!(left > 0) || !isFmallocError(e, 'ERR_FMALLOC_LOCKED')) throw e
      Atomics.wait(never, 0, 0, Math.min(pause, left))
    }
  }
}

/** A handle of this thread on the store with this uuid that some thread of the process has open. */
export function joinStore(uuid: string): Store | undefined {
  const known = native.storeByUuid(uuid)
  return known ? enter(known) : undefined
}

/** An unlinked scratch file in `tmpDir`. */
export function openAnonymous(): Store {
  return enter(native.storeAnonymous(option('tmpDir')))
}

function enter(known: StoreFacts): Store {
  if (known.discarding > 0) {
    warn(
      'discarded-on-recovery',
      `${known.path}: ${known.discarding} objects are newer than the last sync before the machine's crash and not there any more; the first ` +
        "change drops them for good. To have what is whole of them, close the store and open it with { unsynced: 'keep' }",
      'openFmalloc',
    )
  }
  if (!exitHooked && isMainThread) {
    // process.exit and uncaught errors run no finalizers in the main thread; this event they do run.
    process.on('exit', () => {
      stopAll()
      native.exitSync()
    })
    exitHooked = true
  }
  const key = `${known.uuid} ${known.path}`
  let buffers = users.get(key)
  if (buffers === undefined) users.set(key, (buffers = new UserBuffers()))
  const space = new Space(known, buffers)
  const store = makeStore(space, known)
  finalizers.register(store, space)
  prune()
  opened.add(new WeakRef(store))
  return store
}

/** Forgets what is closed. */
function prune(): void {
  for (const ref of opened) if (ref.deref()?.closed !== false) opened.delete(ref)
  for (const [key, { spaces }] of users) if (spaces.size === 0) users.delete(key)
}

/** An open store of this thread with this uuid, and at this path if one is given. */
export function findOpen(uuid: string, path?: string): Store | undefined {
  for (const ref of opened) {
    const store = ref.deref()
    if (store === undefined || store.closed || store.uuid !== uuid) continue
    if (path === undefined || store.path === path) return store
  }
  return undefined
}
