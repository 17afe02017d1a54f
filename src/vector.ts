/**
 * The Vector class: identity and elements. Elements are read through private lanes, never by a native call each. It may touch handles, never
 * store files. Subarrays and windows are Vectors over the same handle. What needs no lanes stands in vector/: ranges, attributes, life; those
 * methods are put on the prototype here, so that every Vector has them.
 */
import { inspect } from 'node:util'
import { KINDS } from './adopt.js'
import { elementAt, setAt } from './brackets.js'
import { CHARACTER } from './dtype.js'
import { fail, show } from './errors.js'
import type { Expr } from './expr.js'
import { Handle, TEMPORARY_ID, type State } from './handle.js'
import { inlineText } from './inline-text.js'
import { inspectVector, summarize } from './inspect.js'
import { namesOf } from './labels.js'
import type { Lane } from './lane.js'
import type { Elementwise, Summaries } from './methods.js'
import { native } from './native.js'
import { isByMeaning, relativeRange } from './positions.js'
import { exact } from './scalar.js'
import type { Store } from './store.js'
import { checkText, readChunk, readTexts, TEXT_CHUNK } from './text.js'
import type { ElementIndex, Index, Plain, Scalar, Shaped, Type, VectorRef } from './types.js'
import { VectorAttributes } from './vector/attributes.js'
import { VectorLife } from './vector/life.js'
import { VectorRanges } from './vector/ranges.js'

/** What a vector is made of: its handle and the elements of the payload it covers. */
export interface Parts {
  readonly handle: Handle
  readonly start: number
  readonly length: number
}

/** Elements of the longest toArray: beyond, the array alone exhausts the heap. */
const ARRAY_MAX = 2 ** 27

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

/** What the parts below have, and operations, whose bodies operations.ts puts on the prototype. */
export interface Vector<T extends Type = Type>
  extends VectorRanges<T>, VectorAttributes<T>, VectorLife, Elementwise, Summaries<T> {
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

  /** A part of the vector that shares its elements, as TypedArray.subarray does; negative positions count from the end. */
  subarray(start?: number, end?: number): Vector<T> {
    this.#handle.check()
    const { from, to } = relativeRange(start, end, this.#length, 'subarray')
    const labels = this.#labels && { role: this.#labels.role, start: this.#labels.start + from }
    return new Vector<T>(this.#handle, this.#start + from, to - from, labels)
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

  #isWhole(): boolean {
    return this.#length === this.#handle.length && this.#labels === undefined
  }
}

for (const part of [VectorRanges, VectorAttributes, VectorLife]) {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(part.prototype)
  Object.defineProperties(Vector.prototype, methods)
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
