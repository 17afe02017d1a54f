/**
 * What stands between the brackets, as it crosses to the binding: numbers in one typed array, masks in 32 bits each, names as strings, stored
 * vectors by their token, never copied. The kind of an array is that of its elements. Whether it fits what it indexes is the core's to say.
 */
import { fail, show } from './errors.js'
import type { List } from './list.js'
import { INT_NA, writeNa } from './na.js'
import type { NativeIndex } from './native.js'
import { isRIndex, subscriptOf } from './scalar.js'
import { checkText } from './text.js'
import { isVector, type Vector } from './vector.js'

/** Gives a token for a vector or list. */
export type Lend = (x: Vector<never> | Vector | List) => number

const WHAT = { all: 0, nothing: 1, numbers: 2, mask: 3, names: 4, vector: 5 } as const
const R = 1

/** Encodes one index; undefined is everything, `[]` R's NULL. `style`: of what is not made by rIndex(). */
export function encodeIndex(x: unknown, style: number, lend: Lend, operation: string): NativeIndex {
  if (x === undefined) return { what: WHAT.all, style }
  if (typeof x === 'number') return { what: WHAT.numbers, style, numbers: Float64Array.of(x) }
  if (typeof x === 'string') return { what: WHAT.names, style, names: [checkText(x)] }
  if (isRIndex(x)) {
    if (style !== 0)
      badSubscript(`${operation}: rIndex() leaves out by negative numbers, not by ${operation}`)
    return encodeR(subscriptOf(x), lend)
  }
  if (isVector(x)) return { what: WHAT.vector, style, token: lend(x) }
  if (x instanceof Float64Array || x instanceof Int32Array) return { what: WHAT.numbers, style, numbers: x }
  if (x instanceof Uint32Array) return { what: WHAT.numbers, style, numbers: Float64Array.from(x) }
  if (Array.isArray(x)) return encodeArray(x as readonly unknown[], style, operation)
  return badSubscript(`${operation}: invalid subscript type: ${show(x)} is no position, mask or name`)
}

function encodeR(x: ReturnType<typeof subscriptOf>, lend: Lend): NativeIndex {
  if (isVector(x)) return { what: WHAT.vector, style: R, token: lend(x) }
  return { what: WHAT.numbers, style: R, numbers: x instanceof Float64Array ? x : doubles(x) }
}

function encodeArray(x: readonly unknown[], style: number, operation: string): NativeIndex {
  if (x.length === 0) return { what: WHAT.nothing, style }
  // A copy: holes become undefined, and nothing is read twice.
  const values = Array.from(x)
  const kind = typeof (values.find(value => value !== null) ?? true)
  for (let k = 0; k < values.length; k++) checkKind(values[k], kind, k, operation)
  switch (kind) {
    case 'number':
      return { what: WHAT.numbers, style, numbers: doubles(values as readonly (number | null)[]) }
    case 'boolean':
      return {
        what: WHAT.mask,
        style,
        numbers: Int32Array.from(values, b => (b === null ? INT_NA : Number(b))),
      }
    case 'string':
      return { what: WHAT.names, style, names: values.map((name, k) => checkText(name, k)) }
    default:
      return badSubscript(
        `${operation}: invalid subscript type: ${show(values.find(value => value !== null))}`,
      )
  }
}

function checkKind(value: unknown, kind: string, k: number, operation: string): void {
  if (value === undefined)
    fail('VALUE', `${operation}: index element ${k} is undefined, which is never NA: write null`, {
      index: k,
    })
  if (value !== null && typeof value !== kind)
    badSubscript(
      `${operation}: ${show(value)} (element ${k}) does not fit: positions, a mask or names, not a mixture`,
      k,
    )
}

/** A mask of booleans and null, whatever its length. */
export function encodeMask(mask: readonly (boolean | null)[]): NativeIndex {
  return {
    what: WHAT.mask,
    style: 0,
    numbers: Int32Array.from(mask, b => (b === null ? INT_NA : Number(b))),
  }
}

/** Doubles with R's NA for null. */
function doubles(values: readonly (number | null)[]): Float64Array {
  const out = new Float64Array(values.length)
  const words = new Uint32Array(out.buffer)
  for (let k = 0; k < values.length; k++) {
    const value = values[k] as number | null
    if (value === null) writeNa(words, k)
    else out[k] = value
  }
  return out
}

function badSubscript(message: string, at?: number): never {
  return fail('SUBSCRIPT', message, { kind: 'bad-subscript', ...(at !== undefined && { at }) })
}
