/**
 * Operands of operations, as the binding takes them: a record of numbers for each. A part of a vector crosses as it stands, one value as
 * itself, an array of values or a string as a temporary that ends with the call.
 */
import { Loans } from './brackets.js'
import { isTypedArray, LIST, parseType } from './dtype.js'
import { fail, show } from './errors.js'
import { isExpr } from './expr.js'
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
  const records = loans.numbers(RECORD * xs.length)
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
  to[at] = KIND.vector
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
  if (isExpr(x)) {
    encodeVector(loans.evaluated(x, operation), to, at)
    return
  }
  if (isList(x)) {
    const handle = listHandle(x)
    handle.check()
    to[at] = KIND.vector
    to[at + 1] = handle.token
    to[at + 3] = x.length
    return
  }
  const values = Array.isArray(x) || isTypedArray(x) ? x : [scalar(x, operation)]
  to[at] = KIND.vector
  to[at + 1] = loans.plain(values, parseType(inferType(values)))
  to[at + 3] = values.length
}

/** An operand that later changes of the caller's arrays do not reach, with the code of its type and its length. Dead vectors are refused. */
export function copyOperand(
  x: unknown,
  operation: string,
): { operand: unknown; type: number; length: number } {
  const typed = (operand: unknown, type: string, length: number) => ({
    operand,
    type: parseType(type).code,
    length,
  })
  if (isVector(x)) {
    const { handle, length } = partsOf(x)
    handle.check()
    return { operand: x, type: handle.dtype.code, length }
  }
  if (isList(x)) {
    listHandle(x).check()
    return { operand: x, type: LIST, length: x.length }
  }
  if (x === undefined) return fail('VALUE', `${operation}: the second operand is undefined`)
  if (isTypedArray(x)) {
    const copy = (x as Float64Array).slice()
    return typed(copy, inferType(copy), copy.length)
  }
  if (Array.isArray(x)) {
    const copy = Object.freeze(Array.from(x as unknown[], copyValue))
    return typed(copy, inferType(copy), copy.length)
  }
  const isPlain = x === null || typeof x === 'number' || typeof x === 'boolean' || isInt(x) || isComplex(x)
  const operand = isPlain ? copyValue(x) : scalar(x, operation)
  return typed(operand, inferType([operand]), 1)
}

/** Numbers that are objects are copied, too. */
function copyValue(x: unknown): unknown {
  if (isComplex(x)) return Object.freeze({ re: x.re, im: x.im })
  return isInt(x) ? Object.freeze({ int: x.int }) : x
}

function scalar(x: unknown, operation: string): string | bigint {
  return typeof x === 'string' || typeof x === 'bigint'
    ? x
    : fail('VALUE', `${operation}: expected a value, an array, a typed array or a Vector, not ${show(x)}`)
}
