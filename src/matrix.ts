/**
 * The Matrix class: two extents, column-major. Columns share, rows are copies. A range of columns is a Matrix over the same handle that keeps its
 * own shape, whatever becomes of the object's.
 */
import { makers } from './adopt.js'
import { build } from './create.js'
import { extrasOf } from './attributes.js'
import { elementAt, select, STYLE } from './brackets.js'
import { KIND } from './dtype.js'
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { placeResult } from './home.js'
import { ALONG, namesAlong, type Extras } from './labels.js'
import { native } from './native.js'
import { checkPosition, NdArray } from './ndarray.js'
import { isRIndex } from './scalar.js'
import type {
  AsyncOptions,
  ElementIndex,
  Float,
  Index,
  Num,
  Plain,
  ResultOptions,
  Scalar,
  Type,
  TypeOf,
  VectorRef,
} from './types.js'
import { refuseMethods } from './unsupported.js'
import { isByMeaning, relativeRange } from './positions.js'
import { isVector, makeSubarray, type Vector } from './vector.js'

type MatOptions = AsyncOptions & ResultOptions

/** What this version lacks, in full types; bodies come from the table below. */
export interface Matrix<T extends Type = Type> {
  /** R's `a %*% b`; out of core with `memory`. Throws NON_CONFORMABLE, TYPE. */
  matmul<B extends Vector<Num> | Plain>(b: B, o?: MatOptions): Matrix<Float<T, TypeOf<B>>>
  /** As {@link matmul}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  matmulAsync<B extends Vector<Num> | Plain>(b: B, o?: MatOptions): Promise<Matrix<Float<T, TypeOf<B>>>>
  /** R's `crossprod`: `t(a) %*% b`, of `a` itself without `b`. */
  crossprod(o?: MatOptions): Matrix<Float<T>>
  /** R's `crossprod`: `t(a) %*% b`, of `a` itself without `b`. */
  crossprod<B extends Vector<Num>>(b: B, o?: MatOptions): Matrix<Float<T, B['type']>>
  /** As {@link crossprod}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  crossprodAsync(o?: MatOptions): Promise<Matrix<Float<T>>>
  /** As {@link crossprod}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  crossprodAsync<B extends Vector<Num>>(b: B, o?: MatOptions): Promise<Matrix<Float<T, B['type']>>>
  /** R's `tcrossprod`: `a %*% t(b)`, of `a` itself without `b`. */
  tcrossprod(o?: MatOptions): Matrix<Float<T>>
  /** R's `tcrossprod`: `a %*% t(b)`, of `a` itself without `b`. */
  tcrossprod<B extends Vector<Num>>(b: B, o?: MatOptions): Matrix<Float<T, B['type']>>
  /** As {@link tcrossprod}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  tcrossprodAsync(o?: MatOptions): Promise<Matrix<Float<T>>>
  /** As {@link tcrossprod}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  tcrossprodAsync<B extends Vector<Num>>(b: B, o?: MatOptions): Promise<Matrix<Float<T, B['type']>>>
}

/** A range of a matrix's columns. */
interface Columns {
  /** The matrix's own extents when the range was taken. */
  readonly parent: readonly number[]
  readonly first: number
  readonly dim: readonly number[]
}

/**
 * A column-major matrix. Made by `store.matrix` or `reshape`; every method of {@link Vector} sees its elements in memory order.
 *
 * @example
 * const X = store.matrix('numeric', [2, 3], { values: [1, 2, 3, 4, 5, 6], dimnames: [null, ['a', 'b', 'c']] })
 * X.get(1, 2)                // 6
 * X.column('b').set(0, 30)   // shares: X.get(0, 1) is 30
 * X.row(0).toArray()         // [1, 30, 5], a copy
 */
export class Matrix<T extends Type = Type> extends NdArray<T> {
  readonly #handle: Handle
  readonly #start: number
  readonly #columns: Columns | undefined
  /** Extents for element access, and the value of the liveness cell they were asked at. */
  #nrow = 0
  #ncol = 0
  #stamp: number | undefined

  /** Internal. */
  protected constructor(handle: Handle, start: number, length: number, columns?: Columns) {
    super(handle, start, length, columns?.dim)
    this.#handle = handle
    this.#start = start
    this.#columns = columns
  }

  static {
    makers[KIND.matrix] = handle => new Matrix(handle, 0, handle.length)
  }

  /** 'matrix'; what the object is now, if it was reshaped. */
  override get kind(): 'matrix' {
    return this.#columns === undefined ? (super.kind as 'matrix') : 'matrix'
  }
  /** As {@link Vector.ref}; that of a range of columns opens as the same range. */
  override get ref(): VectorRef<T, 'matrix'> {
    return super.ref as VectorRef<T, 'matrix'>
  }
  /** Rows. Throws DIM if the object was reshaped to another number of dimensions. */
  get nrow(): number {
    return this.#rows()
  }
  /** Columns. Throws as {@link nrow}. */
  get ncol(): number {
    return this.dim[1] as number
  }

  override get dimnames(): readonly (Vector<'character'> | null)[] | null {
    const columns = this.#columns
    if (columns === undefined) return super.dimnames
    const now = this.#handle.attributes
    if (now.dimnames === null || !columns.parent.every((extent, i) => extent === now.dim?.[i])) return null
    const [nrow, ncol] = columns.dim as [number, number]
    const names = [namesAlong(this.#handle, 0, 0, nrow), namesAlong(this.#handle, 1, columns.first, ncol)]
    return names.some(part => part !== null) ? Object.freeze(names) : null
  }

  #rows(): number {
    const dim = this.dim
    if (dim.length !== 2)
      fail('DIM', `the object has ${dim.length} dimensions now: get it again from the store`, { dim })
    return dim[0] as number
  }

  /** The position in memory order. */
  #position(i: ElementIndex, j: ElementIndex): number {
    const { cells, cell } = this.#handle
    if (typeof i === 'number' && typeof j === 'number') {
      const isKnown = cells[cell] === this.#stamp && i >>> 0 === i && j >>> 0 === j
      if (isKnown && i < this.#nrow && j < this.#ncol) return i + j * this.#nrow
    }
    this.#handle.check()
    if (isByMeaning(i) || isByMeaning(j)) return elementAt(this as Vector, [i, j], 'get')
    this.#nrow = this.#rows()
    this.#ncol = this.dim[1] as number
    this.#stamp = this.#handle.cellValue
    return checkPosition(i, this.#nrow, 0) + checkPosition(j, this.#ncol, 1) * this.#nrow
  }

  /** One element: by position in memory order, or by row and column, which may be names or R's subscripts. Throws SUBSCRIPT, OUT_OF_BOUNDS. */
  override get(i: ElementIndex): Scalar<T>
  override get(i: ElementIndex, j: ElementIndex): Scalar<T>
  override get(i: ElementIndex, ...column: ElementIndex[]): Scalar<T> {
    return super.get(column.length === 0 ? i : this.#position(i, column[0] as ElementIndex))
  }

  /**
   * Rows and columns: a copy with its dimnames, a temporary unless named or kept; undefined is "all", and no dimension ever vanishes. With one
   * index {@link Vector.select}. Throws SUBSCRIPT, OUT_OF_BOUNDS (also for unknown names).
   *
   * @example
   * X.select([0, 2], ['a', 'c'])   // a Matrix
   * X.select([true, false], undefined)
   */
  // First, so that a second argument that is undefined means all columns.
  override select(rows: Index | undefined, cols: Index | undefined, o?: ResultOptions): Matrix<T>
  override select(index: Index | undefined, o?: ResultOptions): Vector<T>
  override select(rows: unknown, ...rest: unknown[]): Vector<T> {
    if (rest.length === 0 || (rest.length === 1 && isOptions(rest[0])))
      return super.select(rows as Index, rest[0] as ResultOptions)
    return select(this as Vector, [rows, rest[0]], STYLE.zero, false, rest[1], 'select')
  }

  /** Writes one element by position or by row and column, or several by position; VALUE unless they convert exactly. */
  override set(i: number, value: Scalar<T>): this
  override set(index: Index, values: Plain | Vector<T> | Scalar<T>): this
  override set(i: number, j: number, value: Scalar<T>): this
  override set(i: unknown, ...rest: unknown[]): this {
    if (rest.length < 2) return super.set(i as number, rest[0] as Scalar<T>)
    return super.set(this.#position(i as number, rest[0] as number), rest[1] as Scalar<T>)
  }

  /** One column, by position or name: shares its elements; its names are the row names. Throws OUT_OF_BOUNDS, DIM without column names. */
  column(j: number | string): Vector<T> {
    this.#handle.check()
    const nrow = this.#rows()
    const at = typeof j === 'string' ? this.#named(j, 1) : checkPosition(j, this.ncol, 1)
    const labels = { role: ALONG, start: 0 }
    return makeSubarray(this.#handle, this.#start + at * nrow, nrow, labels) as Vector<Type> as Vector<T>
  }

  /** A range of columns that shares their elements; positions as in {@link subarray}. Keeps its shape if the object is reshaped. */
  columns(start: number, end?: number): Matrix<T> {
    this.#handle.check()
    const nrow = this.#rows()
    const { from, to } = relativeRange(start, end, this.ncol, 'columns')
    const { parent, first } = this.#columns ?? { parent: this.dim, first: 0 }
    return new Matrix<T>(this.#handle, this.#start + from * nrow, (to - from) * nrow, {
      parent,
      first: first + from,
      dim: Object.freeze([nrow, to - from]),
    })
  }

  /** One row, by position or name: a copy, a temporary; its names are the column names. */
  row(i: number | string): Vector<T> {
    this.#handle.check()
    const nrow = this.#rows()
    const { ncol } = this
    const at = typeof i === 'string' ? this.#named(i, 0) : checkPosition(i, nrow, 0)
    const names = this.dimnames?.[1] ?? null
    const place = placeResult(this.#handle, undefined, 'row')
    const copy = (to: Handle): void =>
      native.copyEvery(to.token, this.#handle.token, this.#start + at, nrow, ncol)
    const extras = names === null ? undefined : { names }
    return build(place, this.#handle.dtype, ncol, false, copy, extras) as Vector<Type> as Vector<T>
  }

  /** Rows become columns: a copy, a temporary unless named or kept; names go along, and so do your attributes. */
  transpose(o?: ResultOptions): Matrix<T> {
    this.#handle.check()
    const [nrow, ncol] = [this.#rows(), this.ncol]
    const place = placeResult(this.#handle, o, 'transpose')
    const { dimnames, ...others } = extrasOf(this as Vector) as Extras
    const extras: Extras = {
      ...others,
      dim: [ncol, nrow],
      names: undefined,
      ...(dimnames && { dimnames: [...dimnames].reverse() }),
    }
    const turn = (to: Handle): void =>
      native.transposeRange(to.token, this.#handle.token, this.#start, nrow, ncol)
    const result = build(place, this.#handle.dtype, nrow * ncol, false, turn, extras)
    return result as Vector<Type> as Matrix<T>
  }

  /** The position of a name along an extent: the first, as in R; a missing or empty name is never found. */
  #named(name: string, d: number): number {
    const { dimnames } = this
    if (dimnames === null)
      fail('DIM', `no 'dimnames' attribute for array: ${show(name)} names nothing`, { kind: 'no-dimnames' })
    const names = dimnames?.[d]
    const { length } = names ?? { length: 0 }
    for (let k = 0; k < length && name !== ''; k++) if (names?.get(k) === name) return k
    return fail(
      'OUT_OF_BOUNDS',
      `subscript out of bounds: no ${d === 0 ? 'row' : 'column'} named ${show(name)}`,
      {
        kind: 'out-of-bounds',
        dimension: d,
      },
    )
  }
}

/** Whether a second argument is no index but options. */
function isOptions(x: unknown): boolean {
  const isIndex = Array.isArray(x) || ArrayBuffer.isView(x) || isVector(x) || isRIndex(x)
  return typeof x === 'object' && x !== null && !isIndex
}

const PRODUCTS = ['matmul', 'crossprod', 'tcrossprod'].flatMap(name => [name, `${name}Async`])

refuseMethods(Matrix.prototype, 'Matrix', { 'matrix products': PRODUCTS })
