/**
 * The Vector class: identity, elements, ranges, lifetime. Elements are read through private lanes, never by a native call each; whole ranges
 * through the binding. It may touch handles, never store files. Subarrays and windows are Vectors over the same handle.
 */
import { inspect } from 'node:util'
import { KINDS } from './adopt.js'
import {
  attributable,
  extrasOf,
  readAttribute,
  reshapeTo,
  sameAttributes,
  writeAttribute,
} from './attributes.js'
import { convertTo, elementAt, replace, select, setAt, STYLE } from './brackets.js'
import { checkStart, fillWith, readInto, writeValues } from './bulk.js'
import { build } from './create.js'
import { CHARACTER, checkFixed, parseType } from './dtype.js'
import { exportNpy, type ExportNpyOptions } from './npy.js'
import { fail, show } from './errors.js'
import { Handle, TEMPORARY_ID, type State } from './handle.js'
import { placeResult } from './home.js'
import { inlineText } from './inline-text.js'
import { inspectVector, summarize } from './inspect.js'
import { applyExtras, checkNames, namesOf, type Extras } from './labels.js'
import type { Lane } from './lane.js'
import { destroyObject, keepObject } from './life.js'
import { native } from './native.js'
import { checkFlag, checkKeys, isGiven } from './options.js'
import type { Elementwise, Summaries } from './methods.js'
import { exact, isRIndex } from './scalar.js'
import type { Matrix } from './matrix.js'
import type { NdArray } from './ndarray.js'
import type { Expr } from './expr.js'
import type { Store } from './store.js'
import { checkText, checkTexts, readChunk, readTexts, TEXT_CHUNK, writeTexts } from './text.js'
import type {
  AsyncOptions,
  Bytes,
  Canon,
  Dimnames,
  ElementIndex,
  FixedType,
  Index,
  Operand,
  Plain,
  ResultOptions,
  RIndex,
  Rise,
  Scalar,
  Shaped,
  Type,
  TypeName,
  TypeOf,
  VectorRef,
  ViewOf,
} from './types.js'
import { checkViewable } from './views.js'
import { prefetchRange, windows, windowsAsync } from './windows.js'

/** What a vector is made of: its handle and the elements of the payload it covers. */
export interface Parts {
  readonly handle: Handle
  readonly start: number
  readonly length: number
}

/** Elements of the longest toArray: beyond, the array alone exhausts the heap. */
const ARRAY_MAX = 2 ** 27
/** Elements of the longest toJSON. */
const JSON_MAX = 1e6

/** Where a subarray's names are: the part of the object (0 names, 2 + i dimnames of extent i) and the first one's position there. */
export interface LabelPlace {
  readonly role: number
  readonly start: number
}

/** Makes a facade object over elements [start, start + length) of a handle. */
export let makeVector: (handle: Handle, start: number, length: number) => Vector
/** The same for a part whose names stand elsewhere than its elements do. */
export let makeSubarray: (handle: Handle, start: number, length: number, labels: LabelPlace) => Vector
/** Where the names of a part stand; undefined: where its elements do. */
export let labelsOf: (v: Vector<never> | Vector) => LabelPlace | undefined
/** Whether `v` is the object itself and no part of it. */
export let isWhole: (v: Vector<never> | Vector) => boolean
/** The insides of a vector, for the other modules of the facade. */
export let partsOf: (v: Vector<never> | Vector) => Parts
/** Whether `x` is a Vector of this package. Never throws. */
export let isVector: (x: unknown) => x is Vector

/** Operations, whose bodies operations.ts puts on the prototype. */
export interface Vector<T extends Type = Type> extends Elementwise, Summaries<T> {
  /** Begins a lazy expression on the vector: nothing runs before {@link Expr.evaluate} or a summary. */
  lazy(): Expr<T>
  /** Not there yet: throws UNSUPPORTED. */
  toArrow(): Promise<unknown>
}

/**
 * A vector in a store's file. Handles alias: writing through one is seen by all; `copy()` for value semantics. Not made by `new`: see
 * `store.vector`.
 *
 * @example
 * const age = store.vector('integer', [34, null, 51], { name: 'age' })
 * age.get(1)   // null: NA
 */
export class Vector<T extends Type = Type> implements Iterable<Scalar<T>> {
  /** An own symbol value: makes structuredClone and postMessage throw, and tells handles apart in deep comparisons. */
  protected readonly uncloneable: symbol = Symbol(
    'a rfmalloc Vector cannot be cloned or posted: send vector.ref and openRef() it',
  )
  readonly #handle: Handle
  readonly #start: number
  readonly #length: number
  readonly #labels: LabelPlace | undefined
  /** The lane of the last access; never one of strings. */
  #lane: Lane | undefined
  /** The lane of the last access to a string. */
  #textLane: Lane | undefined
  /** All lanes of a vector longer than one. */
  #lanes: Lane[] | undefined

  /** Internal. */
  protected constructor(handle: Handle, start: number, length: number, labels?: LabelPlace) {
    if (!(handle instanceof Handle))
      fail('ARGUMENT', 'a Vector is not made by new: use store.vector(type, lengthOrValues)')
    this.#handle = handle
    this.#start = start
    this.#length = length
    this.#labels = labels
    this.#lane = undefined
    this.#textLane = undefined
    this.#lanes = undefined
  }

  static {
    makeVector = (handle, start, length) => new Vector(handle, start, length)
    makeSubarray = (handle, start, length, labels) => new Vector(handle, start, length, labels)
    labelsOf = v => v.#labels
    isWhole = v => v.#isWhole()
    partsOf = v => ({ handle: v.#handle, start: v.#start, length: v.#length })
    isVector = (x): x is Vector => typeof x === 'object' && x !== null && #handle in x
  }

  // ---- identity; none of these throws, also on a dead handle

  /** 'vector', 'matrix' or 'array': what the object is now; a part of one is a vector. */
  get kind(): Shaped {
    return this.#isWhole() ? (KINDS[this.#handle.attributes.kind] ?? 'vector') : 'vector'
  }
  /** The element type, by R's name. */
  get type(): T {
    return this.#handle.dtype.name as Type as T
  }
  /** Elements. */
  get length(): number {
    return this.#length
  }
  /** Payload bytes. */
  get nbytes(): number {
    return this.#length * this.#handle.dtype.width
  }
  /** Name in the store; not R's names(). A subarray has none. */
  get name(): string | null {
    return this.#isWhole() ? this.#handle.name : null
  }
  /**
   * R's names(), or null. It shares: writing it changes the names. Those of a subarray are a subarray of the names, those of a matrix's
   * column the row names. Dead as soon as other names are set.
   */
  get names(): Vector<'character'> | null {
    return namesOf(this)
  }
  /** Extents, or null: what the object is now, also where this handle is older than its shape. */
  get dim(): readonly number[] | null {
    return this.#isWhole() ? this.#handle.attributes.dim : null
  }
  /** null only for createMmapVector. */
  get store(): Store | null {
    return this.#handle.store
  }
  /** 'committed', 'temporary', 'destroyed' or 'closed'. */
  get state(): State {
    return this.#handle.state()
  }
  /** Whether the elements are immutable: see {@link seal}. */
  get sealed(): boolean {
    return this.#handle.sealed
  }

  /**
   * The vector's plain name: frozen, clonable, JSON-safe. Reading it changes nothing. That of createMmapVector, whose file has no
   * uuid, only describes; openRef refuses it.
   *
   * @example
   * new Worker(url, { workerData: v.ref })   // in the worker: openRef(workerData)
   */
  get ref(): VectorRef<T> {
    const { space } = this.#handle
    const { id, generation } = this.#handle.identity()
    return Object.freeze({
      uuid: space.uuid,
      path: space.path,
      id,
      generation,
      temporary: id >= TEMPORARY_ID,
      kind: this.kind,
      type: this.type,
      length: this.#length,
      dim: this.dim,
      start: this.#start,
    })
  }

  // ---- elements

  /**
   * Element `i`, by position, name or R's subscript; null is NA. Throws OUT_OF_BOUNDS outside 0..length-1 and for an unknown name, SUBSCRIPT for
   * a fraction.
   */
  get(i: ElementIndex): Scalar<T> {
    const lane = this.#lane
    if (lane !== undefined && typeof i === 'number') {
      const k = i - lane.first
      if (k >>> 0 === k && k < lane.count) {
        const value = lane.read(k) as Scalar<T>
        if (this.#handle.isSoundAt(lane.stamp)) return value
      }
    }
    return this.#getAnew(i)
  }

  #getAnew(given: ElementIndex): Scalar<T> {
    this.#handle.check()
    const i = isByMeaning(given) ? elementAt(this as Vector, [given], 'get') : given
    this.#checkIndex(i)
    if (this.#handle.dtype.code === CHARACTER) return this.#text(i) as Scalar<T>
    const lane = (this.#lane = this.#laneOf(i))
    const value = lane.read(i - lane.first) as Scalar<T>
    this.#handle.checkWhole(this.#start + i, 1, false)
    return value
  }

  #text(i: number): string | null {
    let lane = this.#textLane
    if (lane === undefined || lane.stamp !== this.#handle.cellValue || (i - lane.first) >>> 0 >= lane.count)
      lane = this.#textLane = this.#laneOf(i)
    const text = inlineText(lane.i32, i - lane.first)
    if (text !== undefined && this.#handle.isSoundAt(lane.stamp)) return text
    return native.textGet(this.#handle.token, this.#start + i) ?? null
  }

  /** Like Array.at: -1 is the last element; undefined outside. */
  at(i: number): Scalar<T> | undefined {
    this.#handle.check()
    if (typeof i !== 'number' || !Number.isInteger(i))
      fail('SUBSCRIPT', `at: the index must be a whole number, not ${show(i)}`)
    const at = i < 0 ? this.#length + i : i
    return at >= 0 && at < this.#length ? this.get(at) : undefined
  }

  /**
   * Writes element `i` in place; returns this. Never rises in type, never grows: a value that does not convert exactly throws VALUE.
   * null is NA. Several positions, a mask, names or R's subscript take one value or one each, all checked before the first write: LENGTH,
   * OUT_OF_BOUNDS (also for unknown names), SUBSCRIPT.
   */
  set(i: number, value: Scalar<T>): this
  set(index: Index, values: Plain | Vector<T> | Scalar<T>): this
  set(i: Index, value: unknown): this {
    const lane = this.#lane
    // An object's parts may be getters, which may end the vector between the test and the write: those go the long way.
    if (
      lane !== undefined &&
      typeof i === 'number' &&
      (typeof value !== 'object' || value === null) &&
      this.#handle.isSettableAt(lane.stamp)
    ) {
      const k = i - lane.first
      if (k >>> 0 === k && k < lane.count) {
        lane.write(k, exact(lane.code, value, i))
        if (this.#handle.space.whole) return this
      }
    }
    return this.#setAnew(i, value)
  }

  #setAnew(i: Index, value: unknown): this {
    if (typeof i === 'object' || typeof i === 'string') {
      setAt(this as Vector, i, value, true, 'set')
      return this
    }
    this.#handle.checkWritable()
    this.#checkIndex(i)
    if (this.#handle.dtype.code === CHARACTER) {
      const text = checkText(value)
      native.textSet(this.#handle.token, this.#start + i, text)
      return this
    }
    const encoded = exact(this.#handle.dtype.code, value, i)
    this.#handle.checkWritable()
    const lane = (this.#lane = this.#laneOf(i))
    this.#handle.checkWhole(this.#start + i, 1, true)
    lane.write(i - lane.first, encoded)
    this.#handle.checkWhole(this.#start + i, 1, true)
    return this
  }

  #checkIndex(i: unknown): asserts i is number {
    if (typeof i !== 'number' || !Number.isInteger(i))
      fail('SUBSCRIPT', `an index must be a whole number, not ${show(i)}`)
    if (i >= 0 && i < this.#length) return
    const hint = i < 0 ? '; negative indices count from the end only in at(), slice() and subarray()' : ''
    fail('OUT_OF_BOUNDS', `subscript out of bounds: ${i} is not in 0..${this.#length - 1}${hint}`, {
      index: i,
      length: this.#length,
    })
  }

  /** The lane that holds `i`. */
  #laneOf(i: number): Lane {
    const handle = this.#handle
    const { span } = handle
    const number = Math.floor(i / span)
    let lane = this.#lanes?.[number]
    if (lane === undefined || lane.stamp !== handle.cellValue) {
      const first = number * span
      lane = handle.lane(this.#start + first, Math.min(span, this.#length - first), first)
      if (this.#length > span) (this.#lanes ??= [])[number] = lane
    }
    return lane
  }

  // ---- ranges

  /**
   * A typed array over the file: zero copy, raw bits (NA is a bit pattern: INT_MIN, or a NaN with low word 1954). Writes through it are
   * writes to the vector. Throws TOO_LARGE above 2^30 elements, NO_EXTERNAL where the runtime forbids such buffers.
   */
  view(): ViewOf<T> {
    const { dtype } = this.#handle
    this.#handle.check()
    checkFixed(dtype, 'view', 'get(), toArray() or a loop over the vector')
    checkViewable(this.#length, dtype)
    if (this.#length === 0) return new dtype.array(0) as ViewOf<T>
    const from = this.#start * dtype.width
    const { buffer, base } = this.#handle.buffers().covering(from, from + this.nbytes)
    this.#handle.checkWhole(this.#start, this.#length, false)
    return new dtype.array(buffer, from - base, this.#length * dtype.lanes) as ViewOf<T>
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

  /** A part of the vector that shares its elements, as TypedArray.subarray does; negative positions count from the end. */
  subarray(start?: number, end?: number): Vector<T> {
    this.#handle.check()
    const { from, to } = relativeRange(start, end, this.#length, 'subarray')
    const labels = this.#labels && { role: this.#labels.role, start: this.#labels.start + from }
    return new Vector<T>(this.#handle, this.#start + from, to - from, labels)
  }

  /** A copy of a part with its names, as Array.slice; a temporary unless named or kept. */
  slice(start?: number, end?: number, o?: ResultOptions): Vector<T> {
    this.#handle.check()
    const { from, to } = relativeRange(start, end, this.#length, 'slice')
    const names = this.names?.subarray(from, to) ?? null
    const extras = names === null ? undefined : { names }
    return this.#copyTo(from, to - from, o, 'slice', extras) as Vector<T>
  }

  /** A copy with shape, names and attributes; a temporary unless named or kept. */
  copy(o?: ResultOptions): this {
    this.#handle.check()
    return this.#copyTo(0, this.#length, o, 'copy', extrasOf(this as Vector)) as this
  }

  /** R's as.integer and so on: a converted copy; a temporary unless named or kept. Warns as R does. */
  as<A extends Exclude<TypeName, 'list'>>(type: A, o?: ResultOptions): Vector<Canon<A>> {
    return convertTo(this as Vector, type, o) as Vector<Type> as Vector<Canon<A>>
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
    return select(this as Vector, [index], STYLE.zero, true, o, 'select')
  }

  /** R's `x[-index]`: everything but these positions, or but what the mask says; a temporary unless named or kept. Throws SUBSCRIPT. */
  exclude(index: Index, o?: ResultOptions): Vector<T> {
    return select(this as Vector, [index], STYLE.except, true, o, 'exclude')
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
    return replace(this as Vector, [index], values, o, 'replace') as Vector<Type> as Vector<
      Rise<T, TypeOf<V>>
    >
  }

  /** The same with one subscript for each dimension, R's `x[i, j, …] <- values`; undefined is "all". */
  replaceAt<V extends Operand>(
    index: readonly (Index | undefined)[],
    values: V,
    o?: ResultOptions,
  ): Vector<Rise<T, TypeOf<V>>> {
    const indices = checkIndices(index, this as Vector, 'replaceAt')
    return replace(this as Vector, indices, values, o, 'replaceAt') as Vector<Type> as Vector<
      Rise<T, TypeOf<V>>
    >
  }

  #copyTo(from: number, length: number, o: unknown, operation: string, extras?: Extras): Vector {
    const place = placeResult(this.#handle, o, operation)
    const fill = (handle: Handle): void => {
      native.copyRange(handle.token, 0, this.#handle.token, this.#start + from, length)
    }
    return build(place, this.#handle.dtype, length, false, fill, extras)
  }

  /** A new vector of `fn(value, i)`, each exact in `type`; a temporary unless named or kept. */
  map<A extends Exclude<TypeName, 'list'>>(
    fn: (value: Scalar<T>, i: number) => Scalar<Canon<A>>,
    type: A,
    o?: ResultOptions,
  ): Vector<Canon<A>> {
    if (typeof fn !== 'function') fail('ARGUMENT', `map: expected a function, not ${show(fn)}`)
    const dtype = parseType(type)
    this.#handle.check()
    const place = placeResult(this.#handle, o, 'map')
    if (dtype.code === CHARACTER) {
      const texts: unknown[] = []
      let i = 0
      for (const value of this) texts.push(fn(value, i++))
      checkTexts(texts)
      return build(place, dtype, texts.length, false, handle => {
        writeTexts(handle, 0, texts)
      }) as Vector<Type> as Vector<Canon<A>>
    }
    const result = build(place, dtype, this.#length, false, (_, target) => {
      for (let i = 0; i < this.#length; i++) target.set(i, fn(this.get(i), i))
    })
    return result as Vector<Type> as Vector<Canon<A>>
  }

  /** Writes values from `start` on (default 0). All are checked before the first is written: VALUE, OUT_OF_BOUNDS. */
  write(values: Plain | Iterable<Scalar<T>>, start: number = 0): this {
    writeValues(partsOf(this), values, start)
    return this
  }

  /** Copies raw bits from `start` on into `target`; returns the elements read. */
  readInto(target: Int32Array | Float64Array | Uint8Array, start: number = 0): number {
    return readInto(partsOf(this), target, start)
  }

  /** Writes one value everywhere; VALUE unless it converts exactly. */
  fill(value: Scalar<T>): this {
    this.#handle.checkWritable()
    if (this.#handle.dtype.code === CHARACTER) {
      const text = checkText(value)
      if (this.#length > 0) native.textFill(this.#handle.token, this.#start, this.#start + this.#length, text)
      return this
    }
    fillWith(partsOf(this), exact(this.#handle.dtype.code, value))
    return this
  }

  // ---- shape, names, attributes

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
    this.#handle.check()
    checkWhole(this as Vector, 'reshaped')
    return reshapeTo(this as Vector, dim, dimnames) as Vector<Type> as NdArray<T>
  }

  /**
   * R's `names<-`: gives every element a name, copied; null removes them. Throws LENGTH for another number, TYPE and VALUE for what is no
   * text, OTHER_STORE, ARGUMENT on a subarray, READ_ONLY; then nothing has changed.
   */
  setNames(names: readonly (string | null)[] | Vector<'character'> | null): this {
    const store = attributable(this.#handle, 'setNames')
    checkWhole(this as Vector, 'given names')
    const given = checkNames(names, this.#length, this.#handle.space, 'setNames')
    // R: the names of an array with one extent are its dimnames.
    const isAlong = this.#handle.attributes.dim?.length === 1
    // And names for no elements along an extent are none.
    const along = given !== null && given.length > 0 ? [given] : null
    applyExtras(this.#handle, store, isAlong ? { dimnames: along } : { names: given })
    return this
  }

  /** Your attribute of this key, parsed from JSON, or undefined. It is kept in the file. A subarray has none. */
  getAttribute(key: string): unknown {
    return readAttribute(this as Vector, key)
  }

  /**
   * Keeps a JSON value with the object, in the file; undefined or null removes it. Throws VALUE for what has no JSON form, ARGUMENT for a bad
   * key (1 to 255 UTF-8 bytes) and on a subarray, TOO_LARGE above 512 KiB for all of an object's attributes, READ_ONLY.
   *
   * @example
   * weight.setAttribute('unit', 'kg').getAttribute('unit')   // 'kg', also tomorrow
   */
  setAttribute(key: string, json: unknown): this {
    checkWhole(this as Vector, 'given attributes')
    writeAttribute(this as Vector, key, json)
    return this
  }

  // ---- out of the store

  /** The elements in an array. Throws TOO_LARGE above 2^27. */
  toArray(): Scalar<T>[] {
    this.#handle.check()
    if (this.#length > ARRAY_MAX) {
      fail('TOO_LARGE', `toArray: ${this.#length} elements are more than 2^27; use windows()`, {
        length: this.#length,
      })
    }
    if (this.#handle.dtype.code === CHARACTER)
      return readTexts(this.#handle, this.#start, this.#length) as Scalar<T>[]
    const out = new Array<Scalar<T>>(this.#length)
    for (let i = 0; i < this.#length; i++) out[i] = this.get(i)
    return out
  }

  /** A typed array with a copy of the raw bits, NA included (`new Float64Array(v)` would turn NA into 0). */
  toTypedArray(): ViewOf<T> {
    this.#handle.check()
    const { dtype } = this.#handle
    checkFixed(dtype, 'toTypedArray', 'toArray()')
    let out
    try {
      out = new dtype.array(this.#length * dtype.lanes)
    } catch {
      return fail(
        'TOO_LARGE',
        `toTypedArray: ${this.nbytes} bytes do not fit into one array; use windows()`,
        { nbytes: this.nbytes },
      )
    }
    readInto(partsOf(this), out, 0)
    return out as ViewOf<T>
  }

  /** The values, NA and NaN as null. Throws TOO_LARGE above 1e6 elements. */
  toJSON(): unknown {
    this.#handle.check()
    if (this.#length > JSON_MAX) {
      fail('TOO_LARGE', `toJSON: ${this.#length} elements are more than 1e6; use toArray(), or send ref`, {
        length: this.#length,
      })
    }
    return this.toArray()
  }

  /** The one-line summary, never the data. */
  toString(): string {
    return summarize(this)
  }

  /** Lazy; safe on any length and on break. Throws when the vector dies meanwhile. */
  *[Symbol.iterator](): IterableIterator<Scalar<T>> {
    this.#handle.check()
    if (this.#handle.dtype.code === CHARACTER) yield* this.#texts() as Iterable<Scalar<T>>
    else for (let i = 0; i < this.#length; i++) yield this.get(i)
  }

  /** Strings are read some at a time, the first few alone, for who takes no more. */
  *#texts(): Generator<string | null, void, undefined> {
    let count = 16
    for (let at = 0; at < this.#length;) {
      this.#handle.check()
      const chunk = readChunk(this.#handle, this.#start + at, Math.min(count, this.#length - at))
      for (let k = 0; k < chunk.length; k++) {
        if (!this.#handle.alive) this.#handle.check()
        yield chunk[k] as string | null
      }
      at += chunk.length
      count = Math.min(4 * count, TEXT_CHUNK)
    }
  }

  /** Text where text is wanted; otherwise throws OPERATOR, since JavaScript operators cannot work here. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return summarize(this)
    return fail('OPERATOR', 'JavaScript operators do not work on vectors: use a.add(b), a.eq(b), v.get(0)')
  }

  /** What Node prints: a summary, never the data. */
  [inspect.custom](): string {
    return inspectVector(this)
  }

  /** Same type, shape, names, attributes and elements; NA equals NA, NaN equals NaN, 0 equals -0. */
  equals(other: Vector): boolean {
    if (!isVector(other)) return fail('ARGUMENT', `equals: expected a Vector, not ${show(other)}`)
    const b = partsOf(other)
    this.#handle.check()
    b.handle.check()
    if (b.handle.dtype !== this.#handle.dtype || b.length !== this.#length) return false
    if (!sameAttributes(this as Vector, other)) return false
    return native.equals(this.#handle.token, this.#start, b.handle.token, b.start, this.#length)
  }

  // ---- life

  /**
   * Writes the elements as NumPy's .npy file, matrices and arrays in Fortran order; names are not written. The file appears when it is complete.
   * An integer's NA is written as it is stored, -2^31. Rejects with TYPE for text, VALUE for a logical NA (as('integer') first), ARGUMENT for
   * a subarray, EXISTS without `replace`, NOT_FOUND, NO_SPACE, IO.
   *
   * @example
   * await X.exportNpy('X.npy', { replace: true })
   */
  exportNpy(path: string | URL, o?: ExportNpyOptions): Promise<{ nbytes: number }> {
    return exportNpy(this as Vector, path, o)
  }

  /** Commits a temporary, or names what is committed. Throws EXISTS for a taken name without `replace`. */
  keep(name?: string, o?: { replace?: boolean }): this {
    this.#handle.check()
    checkWhole(this as Vector, 'kept')
    keepObject(this.#handle, name, o)
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
    this.#handle.check()
    checkWhole(this as Vector, 'sealed')
    if (this.#handle.store === null) fail('UNSUPPORTED', 'seal: a plain file is no store; make it read-only')
    this.#handle.seal()
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
    this.#handle.check()
    if (this.#handle.store === null)
      fail('UNSUPPORTED', 'sync: a plain file is no store; its pages are written back by the system')
    await native.syncObject(this.#handle.token)
  }

  /** Tells the system how the elements will be read. `start` and `end` are positions. */
  advise(
    advice: 'sequential' | 'random' | 'willneed' | 'dontneed',
    o?: { start?: number; end?: number },
  ): this {
    if (!ADVICE.includes(advice)) fail('ARGUMENT', `advice must be ${ADVICE.join(', ')}, not ${show(advice)}`)
    const raw = checkKeys(o, ['start', 'end'], 'advise')
    this.#handle.check()
    const from = position(raw['start'], 0, this.#length, 'advise')
    const to = position(raw['end'], this.#length, this.#length, 'advise')
    const { width } = this.#handle.dtype
    if (to > from)
      native.advise(this.#handle.token, (this.#start + from) * width, (this.#start + to) * width, advice)
    return this
  }

  /** Reads the pages in, off the event loop. Rejects with `signal.reason` on abort. */
  async prefetch(o?: AsyncOptions): Promise<void> {
    await prefetchRange(partsOf(this), o)
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
    const unsafe = checkFlag(checkKeys(o, ['unsafe'], 'destroy')['unsafe'], false, 'unsafe')
    checkWhole(this as Vector, 'destroyed')
    return destroyObject(this.#handle, unsafe)
  }

  #isWhole(): boolean {
    return this.#length === this.#handle.length && this.#labels === undefined
  }
}

/** Refuses what only the object itself can be. */
export function checkWhole(v: Vector, verb: string): void {
  if (!isWhole(v)) {
    fail(
      'ARGUMENT',
      `a subarray shares its vector's elements and cannot be ${verb} alone: use the vector, or copy() it first`,
    )
  }
}

/** Whether an element is named by something else than a position from 0. */
export function isByMeaning(i: unknown): i is string | RIndex {
  return typeof i === 'string' || isRIndex(i)
}

/** One subscript for each dimension of `x`; holes are subscripts left empty. */
export function checkIndices(index: unknown, x: Vector, operation: string): unknown[] {
  if (!Array.isArray(index))
    return fail('ARGUMENT', `${operation}: expected an array of subscripts, not ${show(index)}`)
  const { dim } = x
  if (index.length === 0 || (index.length === 1 && dim !== null && dim.length !== 1)) {
    fail(
      'DIM',
      `${operation}: incorrect number of dimensions: ${index.length} subscripts for ${dim?.length ?? 1}`,
      {
        kind: 'wrong-dims',
      },
    )
  }
  return Array.from(index as unknown[])
}

const ADVICE: readonly string[] = ['sequential', 'random', 'willneed', 'dontneed']

/** Start and end as Array.slice reads them: negative from the end, truncated, clamped. */
export function relativeRange(
  start: unknown,
  end: unknown,
  length: number,
  operation: string,
): { from: number; to: number } {
  const from = relative(start, 0, length, operation)
  return { from, to: Math.max(from, relative(end, length, length, operation)) }
}

function relative(position: unknown, byDefault: number, length: number, operation: string): number {
  if (position === undefined) return byDefault
  if (typeof position !== 'number')
    return fail('SUBSCRIPT', `${operation}: a position must be a number, not ${show(position)}`)
  const whole = Math.trunc(position) || 0
  return whole < 0 ? Math.max(0, length + whole) : Math.min(whole, length)
}

/** A position within 0..length, or the default. */
function position(value: unknown, byDefault: number, length: number, operation: string): number {
  return isGiven(value) ? checkStart(value, length, operation) : byDefault
}

// In JavaScript `v[0]` would be a silent undefined.
Object.defineProperty(Vector.prototype, '0', {
  get() {
    fail('OPERATOR', 'v[0] does not reach an element: use v.get(0)')
  },
  set(_value: unknown) {
    fail('OPERATOR', 'v[0] = x does not reach an element: use v.set(0, x)')
  },
  configurable: true,
})
