/**
 * R's brackets, conversion and `c`: what a user passes becomes what the binding takes, and the new temporary behind a call a Vector or List.
 * What they mean is the core's. A part of a vector crosses as a copy, and plain values as a temporary; both end with the call.
 */
import { createTemporary, discard, relieve, withRelief, type Place } from './create.js'
import { isTypedArray, parseType, type Dtype } from './dtype.js'
import { fail, show } from './errors.js'
import { evaluateIn, isExpr, type Expr } from './expr.js'
import type { Handle } from './handle.js'
import { fallbackStore, placeResult } from './home.js'
import { encodeIndex, type Lend } from './indices.js'
import { inferType } from './infer.js'
import { adoptMade, isList, listHandle, type List } from './list.js'
import { FACT, facts, native, type NativeIndex } from './native.js'
import type { Matrix } from './matrix.js'
import { isComplex, isInt } from './scalar.js'
import { spaceOf, type Store } from './store.js'
import type { Scalar, Stored } from './types.js'
import { isVector, isWhole, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

/** What brackets are put to. */
export type Subject = Vector | List

export const STYLE = { zero: 0, r: 1, except: 2 } as const

/** Numbers of calls that are over, by their length, for the next one: a typed array for each would be half the cost of a small operation. */
const spare: (Float64Array | undefined)[] = []
/** Of the longest that is kept. */
const SPARE_LENGTH = 64

/** Temporaries that cross in place of something else, and the numbers that name operands; ended with the call. */
export class Loans {
  readonly #store: Store
  #handles: Handle[] | undefined
  #numbers: Float64Array | undefined

  constructor(store: Store) {
    this.#store = store
    this.#handles = undefined
    this.#numbers = undefined
  }

  #keep(vector: Vector): Handle {
    const { handle } = partsOf(vector)
    ;(this.#handles ??= []).push(handle)
    return handle
  }

  /** Zeros, once in a call. */
  numbers(length: number): Float64Array {
    if (this.#numbers !== undefined || length > SPARE_LENGTH) return new Float64Array(length)
    // Taken out: the user's code may begin another call while its operands are read.
    const numbers = spare[length]?.fill(0) ?? new Float64Array(length)
    spare[length] = undefined
    return (this.#numbers = numbers)
  }

  /** The token of a vector or list; a part of a vector is copied first. */
  readonly lend: Lend = x => {
    if (isList(x)) return alive(listHandle(x)).token
    const { handle } = partsOf(x)
    if (isWhole(x)) return alive(handle).token
    return this.#keep((x as Vector).copy({ into: this.#store })).token
  }

  /** The token of a temporary of plain values, of the type they have. */
  plain(values: readonly unknown[] | NodeJS.TypedArray, dtype: Dtype): number {
    return this.#keep(createTemporary(this.#store, dtype, values)).token
  }

  /** An expression's elements, where an operation takes none. */
  evaluated(x: Expr, operation: string): Vector {
    const vector = evaluateIn(this.#store, x, operation)
    this.#keep(vector)
    return vector
  }

  end(): void {
    if (this.#handles !== undefined) for (const handle of this.#handles) discard(handle)
    if (this.#numbers !== undefined) spare[this.#numbers.length] = this.#numbers
    this.#numbers = undefined
  }
}

function alive(handle: Handle): Handle {
  handle.check()
  return handle
}

function handleOf(x: Subject): Handle {
  return isList(x) ? listHandle(x) : partsOf(x).handle
}

/** Runs `f` with what lends tokens for a call that works in this store. */
export function withLoans<R>(store: Store, f: (loans: Loans) => R): R {
  const loans = new Loans(store)
  try {
    return f(loans)
  } finally {
    loans.end()
  }
}

/** Makes an object in the place of a result: what `prepare` returns gets the store's handle, ends in a [facts] call and returns warnings. */
export function result<S extends Vector | List>(
  place: Place,
  prepare: (loans: Loans) => (store: number) => number | void,
  operation: string,
): S {
  return withLoans(place.store, loans => {
    const make = prepare(loans)
    const mask = withRelief(() => make(spaceOf(place.store).handle))
    const isPressed = facts[FACT.pressure] === 1
    const object = adoptMade<S>(place, () => {
      if (isPressed) relieve('minor')
    })
    if (typeof mask === 'number') warnMask(mask, operation)
    return object
  })
}

/** The store whose method runs where nothing is made. */
function workplace(handle: Handle): Store {
  return handle.store ?? fallbackStore()
}

// ---- selecting

/** R's `x[i]`, `x[i, j, …]`: `indices` has one, or one for each dimension. */
export function select<S extends Vector | List>(
  x: Subject,
  indices: readonly unknown[],
  style: number,
  drop: boolean,
  o: unknown,
  operation: string,
): S {
  const handle = alive(handleOf(x))
  const place = placeResult(handle, o, operation)
  const prepare = (loans: Loans) => {
    const encoded = encodeAll(indices, style, loans, operation)
    const token = loans.lend(x)
    return (store: number): void => native.selectFrom(store, token, encoded, drop)
  }
  return result<S>(place, prepare, operation)
}

function encodeAll(
  indices: readonly unknown[],
  style: number,
  loans: Loans,
  operation: string,
): NativeIndex[] {
  return indices.map(index => encodeIndex(index, style, loans.lend, operation))
}

/** The position of R's `x[[i]]`, `x[[i, j, …]]`: of one element that is there. */
export function elementAt(x: Subject, indices: readonly unknown[], operation: string): number {
  const handle = alive(handleOf(x))
  const store = workplace(handle)
  return withLoans(isWritable(store) ? store : fallbackStore(), loans =>
    native.elementAt(spaceOf(store).handle, loans.lend(x), encodeAll(indices, STYLE.zero, loans, operation)),
  )
}

/**
 * R's `x[[i]]` or `x[[i, j, …]]`, by positions, names or R's subscripts: one element of a Vector, or what a List holds. Every element of the
 * empty array, R's NULL, is NULL: null. Throws OUT_OF_BOUNDS where there is no such element, SUBSCRIPT for an index that names not exactly one.
 *
 * @example
 * element(ages, 0)          // ages.get(0)
 * element(ages, rIndex(1))  // the same, as R counts
 */
export function element(x: Subject | readonly never[], ...indices: unknown[]): Scalar | Stored | null {
  if (isNull(x)) return null
  if (isVector(x) || isList(x)) return x.get(elementAt(x, indices, 'element'))
  return fail('ARGUMENT', `element: expected a Vector or a List, not ${show(x)}`)
}

function isWritable(store: Store): boolean {
  const space = spaceOf(store)
  return space.accepting && !space.readOnly
}

// ---- assigning

/** R's `x[i] <- values` on a copy. */
export function replace(
  x: Subject,
  indices: readonly unknown[],
  values: unknown,
  o: unknown,
  operation: string,
): Vector | List {
  const handle = alive(handleOf(x))
  const place = placeResult(handle, o, operation)
  const prepare = (loans: Loans) => {
    const encoded = encodeAll(indices, STYLE.zero, loans, operation)
    const given = operandToken(values, loans, operation)
    const token = loans.lend(x)
    return (store: number): number => native.replaceIn(store, token, encoded, given)
  }
  return result(place, prepare, operation)
}

/** Writes through: `exact` refuses what the type cannot hold; else values convert as R does. */
export function setAt(x: Vector, index: unknown, values: unknown, exact: boolean, operation: string): void {
  const { handle, start, length } = partsOf(x)
  handle.checkWritable()
  const store = workplace(handle)
  const mask = withLoans(store, loans => {
    const encoded = encodeIndex(index, STYLE.zero, loans.lend, operation)
    const isPlain = !isVector(values) && !isList(values)
    const given =
      isPlain && (exact || isNull(values))
        ? loans.plain(elementsOf(values, operation), handle.dtype)
        : operandToken(values, loans, operation)
    const space = spaceOf(store)
    // The user's code may have run meanwhile.
    handle.checkWritable()
    if (isWhole(x)) return native.setAt(space.handle, handle.token, [encoded], given, exact)
    const { names } = x
    const dim = x.kind === 'matrix' ? (x as Matrix).dim : []
    const part = { start, len: length, dim, names: names === null ? -1 : loans.lend(names) }
    return native.setInPart(space.handle, handle.token, part, encoded, given, exact)
  })
  warnMask(mask, operation)
}

/** The token of an operand; -1: R's NULL. */
function operandToken(x: unknown, loans: Loans, operation: string): number {
  if (isVector(x) || isList(x)) return loans.lend(x)
  if (isNull(x)) return -1
  if (isExpr(x)) return loans.lend(loans.evaluated(x, operation))
  const values = elementsOf(x, operation)
  return loans.plain(values, parseType(inferType(values)))
}

/** Whether `x` is the empty array, R's NULL. */
export function isNull(x: unknown): boolean {
  return Array.isArray(x) && x.length === 0
}

/** Plain values, one or several. */
function elementsOf(x: unknown, operation: string): readonly unknown[] | NodeJS.TypedArray {
  return Array.isArray(x) || isTypedArray(x) ? x : [scalar(x, operation)]
}

function scalar(x: unknown, operation: string): unknown {
  const isOne = typeof x !== 'object' || x === null || isComplex(x) || isInt(x)
  return isOne && x !== undefined && typeof x !== 'function' && typeof x !== 'symbol'
    ? x
    : fail('VALUE', `${operation}: expected a value, an array, a typed array or a Vector, not ${show(x)}`)
}

// ---- converting

/** R's `as.*`. */
export function convertTo(x: Subject, type: unknown, o: unknown): Vector {
  const dtype = parseType(type)
  const handle = alive(handleOf(x))
  const operation = `as(${dtype.name})`
  const prepare = (loans: Loans) => {
    const token = loans.lend(x)
    return (store: number): number => native.convertTo(store, token, dtype.code)
  }
  return result<Vector>(placeResult(handle, o, operation), prepare, operation)
}

/** R's `c`: one after the other, as a temporary of the highest type, in the store of the first vector or list. Null, R's NULL, of nothing. */
export function combine(...xs: unknown[]): Vector {
  const first = xs.find((x): x is Vector | List => isVector(x) || isList(x))
  const some = xs.filter(x => !isNull(x))
  if (some.length === 0) return null as unknown as Vector
  if (first === undefined)
    return fail('ARGUMENT', 'combine: at least one operand must be a Vector or a List: see store.from')
  const prepare = (loans: Loans) => {
    const tokens = Int32Array.from(some, x => operandToken(x, loans, 'combine'))
    return (store: number): void => native.combineAll(store, tokens)
  }
  return result<Vector>(placeResult(alive(handleOf(first)), undefined, 'combine'), prepare, 'combine')
}
