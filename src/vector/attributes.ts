/**
 * What a Vector knows of itself beside its elements: shape, names, the user's attributes. Changes are all or nothing, in the file, and every
 * handle sees them. The methods are put on Vector's prototype by vector.ts.
 */
import { attributable, readAttribute, reshapeTo, writeAttribute } from '../attributes.js'
import { applyExtras, checkNames } from '../labels.js'
import type { Matrix } from '../matrix.js'
import type { NdArray } from '../ndarray.js'
import { checkWhole } from '../positions.js'
import type { Dimnames, Type } from '../types.js'
import { partsOf, type Vector } from '../vector.js'

/** Methods of a vector over its shape, names and attributes. */
export abstract class VectorAttributes<T extends Type = Type> {
  /**
   * Gives the object extents: two make a matrix, any other number an array. The elements are shared, nothing is copied; names go, and
   * dimnames unless given, as with R's `dim<-`. Handles made before keep their class and gain `dim`; `store.get` gives the new one. Throws
   * DIM where the product is not the length, ARGUMENT on a subarray, READ_ONLY; then nothing has changed.
   *
   * @example
   * const X = store.vector('numeric', [1, 2, 3, 4, 5, 6], { name: 'X' }).reshape([2, 3])
   * X.get(1, 2)   // 6
   */
  reshape(dim: readonly [number, number], dimnames?: Dimnames): Matrix<T>
  reshape(dim: readonly number[], dimnames?: Dimnames): NdArray<T>
  reshape(dim: readonly number[], dimnames?: Dimnames): NdArray<T> {
    const v = this as unknown as Vector
    const { handle } = partsOf(v)
    handle.check()
    checkWhole(v, 'reshaped')
    return reshapeTo(v, dim, dimnames) as Vector as NdArray<T>
  }

  /**
   * R's `names<-`: gives every element a name, copied; null removes them. Throws LENGTH for another number, TYPE and VALUE for what is no
   * text, OTHER_STORE, ARGUMENT on a subarray, READ_ONLY; then nothing has changed.
   */
  setNames(names: readonly (string | null)[] | Vector<'character'> | null): this {
    const v = this as unknown as Vector
    const { handle, length } = partsOf(v)
    const store = attributable(handle, 'setNames')
    checkWhole(v, 'given names')
    const given = checkNames(names, length, handle.space, 'setNames')
    // R: the names of an array with one extent are its dimnames.
    const isAlong = handle.attributes.dim?.length === 1
    // And names for no elements along an extent are none.
    const along = given !== null && given.length > 0 ? [given] : null
    applyExtras(handle, store, isAlong ? { dimnames: along } : { names: given })
    return this
  }

  /** Your attribute of this key, parsed from JSON, or undefined. It is kept in the file. A subarray has none. */
  getAttribute(key: string): unknown {
    return readAttribute(this as unknown as Vector, key)
  }

  /**
   * Keeps a JSON value with the object, in the file; undefined or null removes it. Throws VALUE for what has no JSON form, ARGUMENT for a bad
   * key (1 to 255 UTF-8 bytes) and on a subarray, TOO_LARGE above 512 KiB for all of an object's attributes, READ_ONLY.
   *
   * @example
   * weight.setAttribute('unit', 'kg').getAttribute('unit')   // 'kg', also tomorrow
   */
  setAttribute(key: string, json: unknown): this {
    const v = this as unknown as Vector
    checkWhole(v, 'given attributes')
    writeAttribute(v, key, json)
    return this
  }
}
