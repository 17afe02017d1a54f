/**
 * What becomes of a Vector: kept, sealed, synced, read ahead, let go, written to another file, destroyed. Elements are not touched here. The
 * methods are put on Vector's prototype by vector.ts.
 */
import { checkStart } from '../bulk.js'
import { fail, show } from '../errors.js'
import { destroyObject, keepObject } from '../life.js'
import { native } from '../native.js'
import { exportNpy, type ExportNpyOptions } from '../npy.js'
import { checkFlag, checkKeys, isGiven } from '../options.js'
import { checkWhole } from '../positions.js'
import type { AsyncOptions } from '../types.js'
import { partsOf, type Vector } from '../vector.js'
import { prefetchRange } from '../windows.js'

const ADVICE: readonly string[] = ['sequential', 'random', 'willneed', 'dontneed']

/** Methods of a vector over its life in the store. */
export abstract class VectorLife {
  /**
   * Writes the elements as NumPy's .npy file, matrices and arrays in Fortran order; names are not written. The file appears when it is complete.
   * An integer's NA is written as it is stored, -2^31. Rejects with TYPE for text, VALUE for a logical NA (as('integer') first), ARGUMENT for
   * a subarray, EXISTS without `replace`, NOT_FOUND, NO_SPACE, IO.
   *
   * @example
   * await X.exportNpy('X.npy', { replace: true })
   */
  exportNpy(path: string | URL, o?: ExportNpyOptions): Promise<{ nbytes: number }> {
    return exportNpy(this as unknown as Vector, path, o)
  }

  /** Commits a temporary, or names what is committed. Throws EXISTS for a taken name without `replace`. */
  keep(name?: string, o?: { replace?: boolean }): this {
    const v = this as unknown as Vector
    const { handle } = partsOf(v)
    handle.check()
    checkWhole(v, 'kept')
    keepObject(handle, name, o)
    return this
  }

  /**
   * Makes the elements immutable, for every thread and every later process, and stores checksums of them, which
   * `store.verify({ payloads: true })` holds against the file. Writing throws SEALED from then on; reading stays as fast; views made from
   * now on are private memory, so what is written into one never reaches the file. Naming, copying and destroying go on as before.
   * There is no way back but `copy()`. Throws BUSY while a view is alive or not collected yet, or an operation runs; ARGUMENT for a
   * temporary or a subarray. Survives what a commit survives: `sync()` makes it safe against a power cut.
   *
   * @example
   * const v = store.vector('numeric', [1, 2, 3], { name: 'v' }).seal()
   * v.sealed                                   // true
   * store.verify({ payloads: true }).ok        // true
   */
  seal(): this {
    const v = this as unknown as Vector
    const { handle } = partsOf(v)
    handle.check()
    checkWhole(v, 'sealed')
    if (handle.store === null) fail('UNSUPPORTED', 'seal: a plain file is no store; make it read-only')
    handle.seal()
    return this
  }

  /**
   * The durability barrier for this vector alone, whatever else is dirty: elements and name as they are survive a power cut once it
   * resolves. Off the event loop. A subarray syncs its whole vector. Rejects with ARGUMENT for a temporary, DESTROYED or CLOSED if that
   * happens before the barrier starts; while it runs, `destroy` throws BUSY and `store.close()` waits for it.
   *
   * @example
   * v.set(0, 1)
   * await v.sync()   // v[0] survives a power cut
   */
  async sync(): Promise<void> {
    const { handle } = partsOf(this as unknown as Vector)
    handle.check()
    if (handle.store === null)
      fail('UNSUPPORTED', 'sync: a plain file is no store; its pages are written back by the system')
    await native.syncObject(handle.token)
  }

  /** Tells the system how the elements will be read. `start` and `end` are positions. */
  advise(
    advice: 'sequential' | 'random' | 'willneed' | 'dontneed',
    o?: { start?: number; end?: number },
  ): this {
    const { handle, start, length } = partsOf(this as unknown as Vector)
    if (!ADVICE.includes(advice)) fail('ARGUMENT', `advice must be ${ADVICE.join(', ')}, not ${show(advice)}`)
    const raw = checkKeys(o, ['start', 'end'], 'advise')
    handle.check()
    const from = position(raw['start'], 0, length, 'advise')
    const to = position(raw['end'], length, length, 'advise')
    const { width } = handle.dtype
    if (to > from) native.advise(handle.token, (start + from) * width, (start + to) * width, advice)
    return this
  }

  /** Reads the pages in, off the event loop. Rejects with `signal.reason` on abort. */
  async prefetch(o?: AsyncOptions): Promise<void> {
    await prefetchRange(partsOf(this as unknown as Vector), o)
  }

  /** Lets the pages go; the data stay. */
  release(): void {
    this.advise('dontneed')
  }

  /**
   * Ends the object: every handle in every thread is dead, views keep their bytes until they are collected. False if it was destroyed
   * already. `unsafe` only skips the wait for a sync before the space is used again. Throws BUSY, or ARGUMENT on a subarray.
   */
  destroy(o?: { unsafe?: boolean }): boolean {
    const v = this as unknown as Vector
    const { handle } = partsOf(v)
    const unsafe = checkFlag(checkKeys(o, ['unsafe'], 'destroy')['unsafe'], false, 'unsafe')
    checkWhole(v, 'destroyed')
    return destroyObject(handle, unsafe)
  }
}

/** A position within 0..length, or the default. */
function position(value: unknown, byDefault: number, length: number, operation: string): number {
  return isGiven(value) ? checkStart(value, length, operation) : byDefault
}
