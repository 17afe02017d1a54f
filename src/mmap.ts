/**
 * createMmapVector: a headerless little-endian file as a vector, without a store. The file is never resized and never deleted.
 */
import { adopt } from './adopt.js'
import { checkFixed, checkLength, parseType } from './dtype.js'
import { Handle } from './handle.js'
import { Space } from './memory.js'
import { facts, FACT, native } from './native.js'
import { checkFlag, checkKeys, checkPath, isGiven } from './options.js'
import type { Canon, Type, TypeName } from './types.js'
import type { Vector } from './vector.js'
import { UserBuffers } from './views.js'

/**
 * Maps a plain binary file; default type 'integer'. `length` (elements) may come from an existing file, and is needed for a new one.
 * `destroy()` unmaps. Throws LENGTH for a file that is no multiple of the element or of another length, NOT_FOUND, READ_ONLY on writes.
 *
 * @example
 * const v = createMmapVector('samples.f64', null, { type: 'numeric', readOnly: true })
 */
export function createMmapVector<A extends Exclude<TypeName, 'list' | 'character'> = 'integer'>(
  filepath: string | URL,
  length?: number | null,
  options?: { type?: A; readOnly?: boolean },
): Vector<Canon<A>> {
  const path = checkPath(filepath)
  const count = isGiven(length) ? checkLength(length) : null
  const raw = checkKeys(options, ['type', 'readOnly'], 'createMmapVector')
  const dtype = parseType(raw['type'] ?? 'integer')
  checkFixed(dtype, 'createMmapVector', 'a store')
  const readOnly = checkFlag(raw['readOnly'], false, 'readOnly')
  native.mmapOpen(path, dtype.code, count, readOnly)
  const lossCell = facts[FACT.lossCell] as number
  const lossValue = facts[FACT.lossValue] as number
  const space = new Space({ handle: 0, path, uuid: '', readOnly, lossCell, lossValue }, new UserBuffers())
  facts[FACT.type] = dtype.code
  return adopt(new Handle(space, null, null)) as Vector<Type> as Vector<Canon<A>>
}
