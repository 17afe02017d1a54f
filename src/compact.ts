/**
 * Compaction and copies off the event loop. Their promises settle when the work has ended, so that after an abort nothing goes on behind the
 * caller's back.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { FmallocError } from './errors.js'
import { collectGarbage } from './gc.js'
import type { Space } from './memory.js'
import { native, type Control } from './native.js'
import type { AsyncOptions } from './types.js'
import { watched } from './watch.js'
import { checkAsync } from './windows.js'

/** Store.compactAsync. */
export async function compactAsync(
  space: Space,
  o: AsyncOptions | undefined,
): Promise<{ moved: number; freed: number }> {
  const { signal, progress } = checkAsync(o, 'compactAsync')
  space.checkAccepting()
  const work = (control: Control) => native.storeCompactAsync(space.handle, control)
  const { moved, freed } = await watched(work, signal, progress, done => !done.stopped)
  return { moved, freed }
}

/** Store.compactTo; `close` ends the store if the copy has taken its place. */
export async function compactTo(
  space: Space,
  path: string,
  o: AsyncOptions | undefined,
  close: () => void,
): Promise<void> {
  const { signal, progress } = checkAsync(o, 'compactTo')
  space.checkAccepting()
  const work = async (control: Control) => native.storeCompactTo(space.handle, path, control)
  const run = () => watched(work, signal, progress, done => done)
  try {
    try {
      await run()
    } catch (e) {
      const views =
        e instanceof FmallocError && e.code === 'ERR_FMALLOC_BUSY' ? Number(e.details['views']) : 0
      if (!(views > 0)) throw e
      // The views in the way may be garbage; their finalizers run in a turn of the event loop.
      collectGarbage('major')
      await turn()
      await run()
    }
  } finally {
    // Also after an error: where only the folder could not be synced, the file is another one all the same.
    if (space.open && native.storeIsReplaced(space.handle)) close()
  }
}
