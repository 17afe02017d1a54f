/**
 * Operands of operations, as the binding takes them: a record of numbers for each. A part of a vector crosses as it stands, one value as
 * itself, an array of values or a string as a temporary that ends with the call.
 */
import { Loans } from './brackets.js'
import { isTypedArray, parseType } from './dtype.js'
import { fail, show } from './errors.js'
import { inferType } from './infer.js'
import { isList, listHandle } from './list.js'
import { isComplex, isInt } from './scalar.js'
import { isVector, isWhole, partsOf, type Vector } from './vector.js'

/**
 * Numbers of a record: kind; token, start, length; token of a part's names (-1: none), and where they start; or how many columns and rows.
 */
const RECORD = 6
const KIND = { vector: 0, logical: 1, integer: 2, numeric: 3, complex: 4, columns: 5 } as const

/** The records of these operands. Plain values become loans. */
export function encodeOperands(xs: readonly unknown[], loans: Loans, operation: string): Float64Array {
  const records = new Float64Array(RECORD * xs.length)
  for (let k = 0; k < xs.length; k++) encode(xs[k], records, RECORD * k, loans, operation)
  return records
}

function encode(x: unknown, to: Float64Array, at: number, loans: Loans, operation: string): void {
  to[at + 4] = -1
  if (typeof x === 'number') {
    to[at] = KIND.numeric
    to[at + 1] = x
  } else if (isVector(x)) {
    encodeVector(x, to, at)
  } else if (x === null) {
    to[at] = KIND.logical
    to[at + 1] = -(2 ** 31)
  } else if (typeof x === 'boolean') {
    to[at] = KIND.logical
    to[at + 1] = x ? 1 : 0
  } else if (isInt(x)) {
    to[at] = KIND.integer
    to[at + 1] = x.int
  } else if (isComplex(x)) {
    to[at] = KIND.complex
    to[at + 1] = x.re
    to[at + 4] = x.im
  } else {
    encodeLoan(x, to, at, loans, operation)
  }
}

function encodeVector(x: Vector, to: Float64Array, at: number): void {
  const { handle, start, length } = partsOf(x)
  handle.check()
  to[at + 1] = handle.token
  to[at + 2] = start
  to[at + 3] = length
  if (isWhole(x)) return
  const { dim } = x
  if (dim !== null) {
    to[at] = KIND.columns
    to[at + 4] = dim[1] as number
    to[at + 5] = dim[0] as number
    return
  }
  const { names } = x
  if (names === null) return
  const labels = partsOf(names)
  to[at + 4] = labels.handle.token
  to[at + 5] = labels.start
}

function encodeLoan(x: unknown, to: Float64Array, at: number, loans: Loans, operation: string): void {
  if (isList(x)) {
    const handle = listHandle(x)
    handle.check()
    to[at + 1] = handle.token
    to[at + 3] = x.length
    return
  }
  const values = Array.isArray(x) || isTypedArray(x) ? x : [scalar(x, operation)]
  to[at + 1] = loans.plain(values, parseType(inferType(values)))
  to[at + 3] = values.length
}

function scalar(x: unknown, operation: string): string | bigint {
  return typeof x === 'string' || typeof x === 'bigint'
    ? x
    : fail('VALUE', `${operation}: expected a value, an array, a typed array or a Vector, not ${show(x)}`)
}
