/**
 * NumPy's .npy files: vectors, matrices and arrays from them and into them, off the event loop.
 */
import { placeIn } from './create.js'
import { handleOf } from './facade.js'
import { adoptMadeAsync } from './list.js'
import { native, type Control } from './native.js'
import { checkFlag, checkKeys, checkPath } from './options.js'
import { spaceOf, type Store } from './store.js'
import type { AsyncOptions } from './types.js'
import type { Vector } from './vector.js'
import { watched } from './watch.js'
import { checkAsync } from './windows.js'

/** Where {@link Store.importNpy} puts what it reads. */
export interface ImportNpyOptions extends AsyncOptions {
  /** Name of the object in the store. */
  name?: string
  /** Replaces an object of that name; default false. */
  replace?: boolean
}

/** How {@link Vector.exportNpy} writes. */
export interface ExportNpyOptions extends AsyncOptions {
  /** Replaces a file that is there; default false. */
  replace?: boolean
}

/** Store.importNpy. */
export async function importNpy(store: Store, path: unknown, o: unknown): Promise<Vector> {
  const { signal, progress } = checkAsync(o, 'importNpy', ['name', 'replace'])
  const file = checkPath(path)
  const raw = checkKeys(o, ['signal', 'onProgress', 'memory', 'name', 'replace'], 'importNpy')
  const place = placeIn(store, raw, true)
  const { handle } = spaceOf(store)
  const parcel = native.npyParcel()
  const work = (control: Control) => native.npyRead(handle, file, parcel, control).then(() => true)
  await watched(work, signal, progress, done => done)
  native.npyArray(handle, parcel)
  return adoptMadeAsync<Vector>(place)
}

/** Vector.exportNpy. */
export async function exportNpy(vector: Vector, path: unknown, o: unknown): Promise<{ nbytes: number }> {
  const { signal, progress } = checkAsync(o, 'exportNpy', ['replace'])
  const raw = checkKeys(o, ['signal', 'onProgress', 'memory', 'replace'], 'exportNpy')
  const replace = checkFlag(raw['replace'], false, 'replace')
  const file = checkPath(path)
  const handle = handleOf(vector, 'exportNpy')
  handle.check()
  const work = async (control: Control) => native.npyWrite(handle.token, file, replace, control)
  const nbytes = await watched(work, signal, progress, done => done !== null && done !== undefined)
  return { nbytes: nbytes ?? 0 }
}
