/**
 * The NdArray class: a vector with extents, column-major. Elements by position along each extent, names along them. Matrix extends it.
 */
import { makers } from './adopt.js'
import { attributable } from './attributes.js'
import { elementAt, select, STYLE } from './brackets.js'
import { KIND } from './dtype.js'
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { ALONG, applyExtras, checkDimnames, dimnamesOf, NAMES } from './labels.js'
import { checkFlag, checkKeys } from './options.js'
import type {
  AsyncOptions,
  Dimnames,
  ElementIndex,
  Float,
  Index,
  MarginOptions,
  ResultOptions,
  Scalar,
  Type,
} from './types.js'
import { refuseMethods } from './unsupported.js'
import { checkIndices, checkWhole, isByMeaning, relativeRange } from './positions.js'
import { makeSubarray, Vector } from './vector.js'

const SUBSET_KEYS = ['name', 'replace', 'keep', 'into', 'drop']

/** What this version lacks, in full types; bodies come from the table below. */
export interface NdArray<T extends Type = Type> {
  /** Sums of rows: the first `dims` dimensions are kept. */
  rowSums(o?: MarginOptions): Vector<Float<T>>
  /** As {@link rowSums}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  rowSumsAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
  /** Sums of columns: over the first `dims` dimensions. */
  colSums(o?: MarginOptions): Vector<Float<T>>
  /** As {@link colSums}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  colSumsAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
  /** Means of rows: the first `dims` dimensions are kept. */
  rowMeans(o?: MarginOptions): Vector<Float<T>>
  /** As {@link rowMeans}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  rowMeansAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
  /** Means of columns: over the first `dims` dimensions. */
  colMeans(o?: MarginOptions): Vector<Float<T>>
  /** As {@link colMeans}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  colMeansAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
}

/**
 * A column-major array of any rank. Made by `store.array` or `reshape`; every method of {@link Vector} sees its elements in memory order.
 *
 * @example
 * const A = store.array('integer', [2, 3, 4], { name: 'A' })
 * A.setCell([1, 2, 3], 7).get(23)   // 7: the last element
 */
export class NdArray<T extends Type = Type> extends Vector<T> {
  readonly #handle: Handle
  readonly #start: number
  /** Of a part of a matrix: extents that are its own. */
  readonly #fixed: readonly number[] | undefined
  /** Extents, and the value of the liveness cell they were asked at. */
  #dim: readonly number[] = []
  #stamp: number | undefined

  /** Internal. */
  protected constructor(handle: Handle, start: number, length: number, fixed?: readonly number[]) {
    // A part of a matrix is never the object itself, also where it has all columns.
    super(handle, start, length, fixed && { role: NAMES, start })
    this.#handle = handle
    this.#start = start
    this.#fixed = fixed
  }

  static {
    makers[KIND.array] = handle => new NdArray(handle, 0, handle.length)
  }

  /** Extents. */
  override get dim(): readonly number[] {
    const { cells, cell } = this.#handle
    if (this.#fixed !== undefined) return this.#fixed
    if (cells[cell] !== this.#stamp) {
      this.#dim = super.dim ?? [this.length]
      this.#stamp = this.#handle.cellValue
    }
    return this.#dim
  }

  /** Names along each extent: they share, so writing one changes the names; null where there are none. */
  get dimnames(): readonly (Vector<'character'> | null)[] | null {
    return dimnamesOf(this.#handle)
  }

  /**
   * Gives names along each extent, copied; null removes them all, a null entry those of one extent. Throws DIM for another number of
   * names, TYPE and VALUE for what is no text, OTHER_STORE, READ_ONLY; then nothing has changed.
   *
   * @example
   * X.setDimnames([['a', 'b'], null])
   */
  setDimnames(d: Dimnames | null): this {
    const store = attributable(this.#handle, 'setDimnames')
    checkWhole(this as Vector, 'given dimnames')
    const dimnames = checkDimnames(d, this.dim, this.#handle.space, 'setDimnames')
    applyExtras(this.#handle, store, { dimnames })
    return this
  }

  /**
   * The element at a position along each extent, which may be a name or R's subscript. Throws DIM for another number of positions,
   * SUBSCRIPT, OUT_OF_BOUNDS.
   */
  cell(at: readonly ElementIndex[]): Scalar<T> {
    return this.get(this.#position(at))
  }

  /**
   * R's `x[i, , k]`: one subscript for each dimension, undefined for all of it; a copy with its dimnames, a temporary unless named or kept.
   * Dimensions of extent 1 vanish unless `drop` is false. Throws DIM, SUBSCRIPT, OUT_OF_BOUNDS (also for unknown names).
   *
   * @example
   * A.subset([[0, 2], undefined, rIndex(-1)])
   */
  subset(index: readonly (Index | undefined)[], o?: ResultOptions & { drop?: boolean }): Vector<T> {
    const { drop, ...rest } = checkKeys(o, SUBSET_KEYS, 'subset')
    const indices = checkIndices(index, this as Vector, 'subset')
    return select(this as Vector, indices, STYLE.zero, checkFlag(drop, true, 'drop'), rest, 'subset')
  }

  /** Writes the element at a position along each extent; VALUE unless it converts exactly. */
  setCell(at: readonly ElementIndex[], value: Scalar<T>): this {
    return this.set(this.#position(at), value)
  }

  #position(at: unknown): number {
    if (!Array.isArray(at)) return fail('SUBSCRIPT', `a cell is an array of positions, not ${show(at)}`)
    this.#handle.check()
    const dim = this.dim
    if (at.length !== dim.length) {
      fail('DIM', `incorrect number of dimensions: ${at.length} subscripts for ${dim.length}`, {
        kind: 'wrong-dims',
        subscripts: at.length,
        dimensions: dim.length,
      })
    }
    if (at.some(isByMeaning)) return elementAt(this as Vector, at, 'cell')
    let position = 0
    let step = 1
    for (let d = 0; d < dim.length; d++) {
      const extent = dim[d] as number
      position += checkPosition(at[d], extent, d) * step
      step *= extent
    }
    return position
  }

  /** A part of the elements in memory order; it shares them and has no extents. */
  override subarray(start?: number, end?: number): Vector<T> {
    this.#handle.check()
    const { from, to } = relativeRange(start, end, this.length, 'subarray')
    const first = this.#start + from
    // R: the names of an array with one extent are those along it.
    const isAlong = this.dim.length === 1 && !this.#handle.attributes.names
    const labels = { role: isAlong ? ALONG : NAMES, start: first }
    return makeSubarray(this.#handle, first, to - from, labels) as Vector<Type> as Vector<T>
  }
}

/** A position along dimension `d`, which has `extent` elements. */
export function checkPosition(i: unknown, extent: number, d: number): number {
  if (typeof i !== 'number' || !Number.isInteger(i))
    return fail('SUBSCRIPT', `a position must be a whole number, not ${show(i)} (dimension ${d})`)
  if (i < 0 || i >= extent) {
    fail('OUT_OF_BOUNDS', `subscript out of bounds: ${i} is not in 0..${extent - 1} (dimension ${d})`, {
      kind: 'out-of-bounds',
      index: i,
      dimension: d,
      extent,
    })
  }
  return i
}

const MARGINS = ['rowSums', 'colSums', 'rowMeans', 'colMeans'].flatMap(name => [name, `${name}Async`])

refuseMethods(NdArray.prototype, 'NdArray', {
  'row and column reductions': MARGINS,
})
