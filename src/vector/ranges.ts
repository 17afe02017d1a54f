/**
 * What a Vector does with many elements at once: views, windows, copies, selections, comparison, bulk reads and writes. Ranges cross by one
 * native call each; only map goes element by element. The methods are put on Vector's prototype by vector.ts.
 */
import { extrasOf, sameAttributes } from '../attributes.js'
import { convertTo, replace, select, STYLE } from '../brackets.js'
import { fillWith, readInto, writeValues } from '../bulk.js'
import { build } from '../create.js'
import { CHARACTER, checkFixed, parseType } from '../dtype.js'
import { fail, show } from '../errors.js'
import type { Handle } from '../handle.js'
import { placeResult } from '../home.js'
import type { Extras } from '../labels.js'
import { native } from '../native.js'
import { checkIndices, relativeRange } from '../positions.js'
import { exact } from '../scalar.js'
import { checkText, checkTexts, writeTexts } from '../text.js'
import type {
  Bytes,
  Canon,
  FixedType,
  Index,
  Operand,
  Plain,
  ResultOptions,
  Rise,
  Scalar,
  Type,
  TypeName,
  TypeOf,
  ViewOf,
} from '../types.js'
import { isVector, partsOf, type Vector } from '../vector.js'
import { checkViewable } from '../views.js'
import { windows, windowsAsync } from '../windows.js'

/** Elements of the longest toJSON. */
const JSON_MAX = 1e6

/** Methods of a vector over its elements as a whole. */
export abstract class VectorRanges<T extends Type = Type> {
  /**
   * A typed array over the file: zero copy, raw bits (NA is a bit pattern: INT_MIN, or a NaN with low word 1954). Writes through it are
   * writes to the vector. Throws TOO_LARGE above 2^30 elements, NO_EXTERNAL where the runtime forbids such buffers.
   */
  view(): ViewOf<T> {
    const v = this as unknown as Vector<T>
    const { handle, start, length } = partsOf(v)
    const { dtype } = handle
    handle.check()
    checkFixed(dtype, 'view', 'get(), toArray() or a loop over the vector')
    checkViewable(length, dtype)
    if (length === 0) return new dtype.array(0) as ViewOf<T>
    const from = start * dtype.width
    const { buffer, base } = handle.buffers().covering(from, from + v.nbytes)
    handle.checkWhole(start, length, false)
    return new dtype.array(buffer, from - base, length * dtype.lanes) as ViewOf<T>
  }

  /** Subarrays in order, each viewable, of `bytes` bytes (default 64 MiB, at most 1 GiB). Shared, not copied. */
  windows(this: Vector<FixedType>, o?: { bytes?: Bytes }): IterableIterator<Vector<T>> {
    return windows(this, o) as unknown as IterableIterator<Vector<T>>
  }

  /** As {@link windows}; reads the next window's pages in while you work on one. Rejects with `signal.reason` on abort. */
  windowsAsync(
    this: Vector<FixedType>,
    o?: { bytes?: Bytes; signal?: AbortSignal },
  ): AsyncIterableIterator<Vector<T>> {
    return windowsAsync(this, o) as unknown as AsyncIterableIterator<Vector<T>>
  }

  /** A copy of a part with its names, as Array.slice; a temporary unless named or kept. */
  slice(start?: number, end?: number, o?: ResultOptions): Vector<T> {
    const v = this as unknown as Vector<T>
    const { handle, length } = partsOf(v)
    handle.check()
    const { from, to } = relativeRange(start, end, length, 'slice')
    const names = v.names?.subarray(from, to) ?? null
    const extras = names === null ? undefined : { names }
    return copyTo(v as Vector, from, to - from, o, 'slice', extras) as Vector<T>
  }

  /** A copy with shape, names and attributes; a temporary unless named or kept. */
  copy(o?: ResultOptions): this {
    const v = this as unknown as Vector<T>
    const { handle, length } = partsOf(v)
    handle.check()
    return copyTo(v as Vector, 0, length, o, 'copy', extrasOf(v as Vector)) as unknown as this
  }

  /** R's as.integer and so on: a converted copy; a temporary unless named or kept. Warns as R does. */
  as<A extends Exclude<TypeName, 'list'>>(type: A, o?: ResultOptions): Vector<Canon<A>> {
    const v = this as unknown as Vector<T>
    return convertTo(v as Vector, type, o) as Vector<Type> as Vector<Canon<A>>
  }

  /**
   * R's `x[index]`: a copy of the selected elements with their names; a temporary unless named or kept. Beyond the end, and where the index is
   * NA, elements are NA (raw: 0). An array is taken as one vector, column by column; a matrix of positions or names with a column for each
   * of its dimensions picks one cell a row. undefined selects everything with its shape, `[]` nothing. Throws SUBSCRIPT, OUT_OF_BOUNDS.
   *
   * @example
   * age.select([2, 0])          // positions from 0
   * age.select(rIndex([-1]))    // R's age[-1]
   * age.select([true, false])   // a mask, recycled
   */
  select(index: Index | undefined, o?: ResultOptions): Vector<T> {
    const v = this as unknown as Vector<T>
    return select(v as Vector, [index], STYLE.zero, true, o, 'select')
  }

  /** R's `x[-index]`: everything but these positions, or but what the mask says; a temporary unless named or kept. Throws SUBSCRIPT. */
  exclude(index: Index, o?: ResultOptions): Vector<T> {
    const v = this as unknown as Vector<T>
    return select(v as Vector, [index], STYLE.except, true, o, 'exclude')
  }

  /**
   * R's `x[index] <- values` on a copy, a temporary unless named or kept: the type rises to hold the values, the length grows with what is
   * written beyond the end, unknown names become new elements; values recycle. Warns as R does. Throws SUBSCRIPT, LENGTH, TYPE, OUT_OF_BOUNDS.
   */
  replace<V extends Operand>(
    index: Index | undefined,
    values: V,
    o?: ResultOptions,
  ): Vector<Rise<T, TypeOf<V>>> {
    const v = this as unknown as Vector<T>
    return replace(v as Vector, [index], values, o, 'replace') as Vector<Type> as Vector<Rise<T, TypeOf<V>>>
  }

  /** The same with one subscript for each dimension, R's `x[i, j, …] <- values`; undefined is "all". */
  replaceAt<V extends Operand>(
    index: readonly (Index | undefined)[],
    values: V,
    o?: ResultOptions,
  ): Vector<Rise<T, TypeOf<V>>> {
    const v = this as unknown as Vector<T>
    const indices = checkIndices(index, v as Vector, 'replaceAt')
    return replace(v as Vector, indices, values, o, 'replaceAt') as Vector<Type> as Vector<Rise<T, TypeOf<V>>>
  }

  /** A new vector of `fn(value, i)`, each exact in `type`; a temporary unless named or kept. */
  map<A extends Exclude<TypeName, 'list'>>(
    fn: (value: Scalar<T>, i: number) => Scalar<Canon<A>>,
    type: A,
    o?: ResultOptions,
  ): Vector<Canon<A>> {
    const v = this as unknown as Vector<T>
    const { handle, length } = partsOf(v)
    if (typeof fn !== 'function') fail('ARGUMENT', `map: expected a function, not ${show(fn)}`)
    const dtype = parseType(type)
    handle.check()
    const place = placeResult(handle, o, 'map')
    if (dtype.code === CHARACTER) {
      const texts: unknown[] = []
      let i = 0
      for (const value of v) texts.push(fn(value, i++))
      checkTexts(texts)
      return build(place, dtype, texts.length, false, handle => {
        writeTexts(handle, 0, texts)
      }) as Vector<Type> as Vector<Canon<A>>
    }
    const result = build(place, dtype, length, false, (_, target) => {
      for (let i = 0; i < length; i++) target.set(i, fn(v.get(i), i))
    })
    return result as Vector<Type> as Vector<Canon<A>>
  }

  /** Writes values from `start` on (default 0). All are checked before the first is written: VALUE, OUT_OF_BOUNDS. */
  write(values: Plain | Iterable<Scalar<T>>, start: number = 0): this {
    const v = this as unknown as Vector<T>
    writeValues(partsOf(v), values, start)
    return this
  }

  /** Copies raw bits from `start` on into `target`; returns the elements read. */
  readInto(target: Int32Array | Float64Array | Uint8Array, start: number = 0): number {
    const v = this as unknown as Vector<T>
    return readInto(partsOf(v), target, start)
  }

  /** Writes one value everywhere; VALUE unless it converts exactly. */
  fill(value: Scalar<T>): this {
    const v = this as unknown as Vector<T>
    const parts = partsOf(v)
    const { handle, start, length } = parts
    handle.checkWritable()
    if (handle.dtype.code === CHARACTER) {
      const text = checkText(value)
      if (length > 0) native.textFill(handle.token, start, start + length, text)
      return this
    }
    fillWith(parts, exact(handle.dtype.code, value))
    return this
  }

  /** A typed array with a copy of the raw bits, NA included (`new Float64Array(v)` would turn NA into 0). */
  toTypedArray(): ViewOf<T> {
    const v = this as unknown as Vector<T>
    const { handle, length } = partsOf(v)
    handle.check()
    const { dtype } = handle
    checkFixed(dtype, 'toTypedArray', 'toArray()')
    let out
    try {
      out = new dtype.array(length * dtype.lanes)
    } catch {
      return fail('TOO_LARGE', `toTypedArray: ${v.nbytes} bytes do not fit into one array; use windows()`, {
        nbytes: v.nbytes,
      })
    }
    readInto(partsOf(v), out, 0)
    return out as ViewOf<T>
  }

  /** The values, NA and NaN as null. Throws TOO_LARGE above 1e6 elements. */
  toJSON(): unknown {
    const v = this as unknown as Vector<T>
    const { handle, length } = partsOf(v)
    handle.check()
    if (length > JSON_MAX) {
      fail('TOO_LARGE', `toJSON: ${length} elements are more than 1e6; use toArray(), or send ref`, {
        length: length,
      })
    }
    return v.toArray()
  }

  /** Same type, shape, names, attributes and elements; NA equals NA, NaN equals NaN, 0 equals -0. */
  equals(other: Vector): boolean {
    if (!isVector(other)) return fail('ARGUMENT', `equals: expected a Vector, not ${show(other)}`)
    const v = this as unknown as Vector
    const a = partsOf(v)
    const b = partsOf(other)
    a.handle.check()
    b.handle.check()
    if (b.handle.dtype !== a.handle.dtype || b.length !== a.length) return false
    if (!sameAttributes(v, other)) return false
    return native.equals(a.handle.token, a.start, b.handle.token, b.start, a.length)
  }
}

function copyTo(
  v: Vector,
  from: number,
  length: number,
  o: unknown,
  operation: string,
  extras?: Extras,
): Vector {
  const { handle: source, start } = partsOf(v)
  const place = placeResult(source, o, operation)
  const fill = (handle: Handle): void => {
    native.copyRange(handle.token, 0, source.token, start + from, length)
  }
  return build(place, source.dtype, length, false, fill, extras)
}
