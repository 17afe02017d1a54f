/**
 * Extents as a user gives them: R's checks and wording, before anything is made. Pure functions over values.
 */
import { isTypedArray, LENGTH_MAX } from './dtype.js'
import { fail, show } from './errors.js'

/** The largest extent: R's. */
const EXTENT_MAX = 2 ** 31 - 1
const RANK_MAX = 255

/** Checks extents; `names` are what messages call them, if not `dim`. */
export function checkDim(dim: unknown, operation: string, names?: readonly string[]): readonly number[] {
  const given: unknown = isTypedArray(dim) ? Array.from(dim as Iterable<number>) : dim
  if (!Array.isArray(given))
    return fail('DIM', `${operation}: dim must be an array of extents, not ${show(dim)}`)
  if (given.length === 0) fail('DIM', `${operation}: length-0 dimension vector is invalid: dim is empty`)
  if (given.length > RANK_MAX)
    fail('DIM', `${operation}: dim has ${given.length} extents; at most ${RANK_MAX} are possible`)
  const extents = Array.from(given as unknown[], (e, i) =>
    checkExtent(e, names?.[i] ?? `dim[${i}]`, operation),
  )
  const length = product(extents)
  if (length > LENGTH_MAX) {
    fail(
      'DIM',
      `${operation}: ${names?.join(' * ') ?? 'dim'}: length is too large: ${length} elements, at most 2^52`,
    )
  }
  return Object.freeze(extents)
}

function checkExtent(extent: unknown, what: string, operation: string): number {
  if (typeof extent !== 'number' || !Number.isInteger(extent) || extent < 0) {
    return fail(
      'DIM',
      `${operation}: ${what} must be a non-negative integer-valued number, not ${show(extent)}`,
    )
  }
  if (extent > EXTENT_MAX) fail('DIM', `${operation}: ${what} is ${extent}; an extent is at most 2^31 - 1`)
  return extent + 0
}

/** Checks the extents of a matrix. */
export function checkMatrixDim(dim: unknown, operation: string): readonly number[] {
  const extents = checkDim(dim, operation)
  if (extents.length !== 2) fail('DIM', `${operation}: a matrix has 2 dimensions, not ${extents.length}`)
  return extents
}

/** Elements of an array with these extents. */
export function product(dim: readonly number[]): number {
  return dim.reduce((n, extent) => n * extent, 1)
}

/** R's error where extents do not give the length. */
export function checkFits(dim: readonly number[], length: number): void {
  const n = product(dim)
  if (n !== length) {
    fail('DIM', `dims [product ${n}] do not match the length of object [${length}]`, {
      dim,
      length,
    })
  }
}

/** R's choice of extents for a matrix of `length` elements, given none, one or both (behaviour 2.50). */
export function matrixDim(
  length: number,
  nrow: unknown,
  ncol: unknown,
  operation: string,
): readonly number[] {
  const given = [nrow, ncol].map((extent, i) =>
    extent === undefined || extent === null
      ? undefined
      : checkExtent(extent, i === 0 ? 'nrow' : 'ncol', operation),
  )
  const [rows, cols] = given
  if (rows !== undefined && cols !== undefined) {
    checkFits([rows, cols], length)
    return checkDim([rows, cols], operation, ['nrow', 'ncol'])
  }
  if (rows === undefined && cols === undefined) return checkDim([length, 1], operation, ['nrow', 'ncol'])
  const one = (rows ?? cols) as number
  const other = one === 0 ? 0 : length / one
  if (!Number.isInteger(other) || one * other !== length) {
    const what = rows === undefined ? 'ncol' : 'nrow'
    fail('DIM', `${operation}: the length ${length} is not a multiple of ${what} ${one}`, {
      length,
      [what]: one,
    })
  }
  return checkDim(rows === undefined ? [other, one] : [one, other], operation, ['nrow', 'ncol'])
}
