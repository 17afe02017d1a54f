/**
 * One JavaScript value into one element. Two rules live here: *exact* (set, write, fill, map: what does not convert without loss is
 * refused) and *R's as.** (constructors: truncate, make NA, note a warning). Pure functions over values; bulk conversion of typed arrays
 * and vectors is the binding's.
 *
 * An encoded element is a number (logical: 0 or 1), a complex pair, a string, or null for NA.
 */
import { CHARACTER, COMPLEX, dtypeOf, INTEGER, LOGICAL, NUMERIC, RAW } from './dtype.js'
import { fail, show } from './errors.js'
import { INT_MAX } from './na.js'
import { checkText } from './text.js'
import { isVector, type Vector } from './vector.js'
import type { Complex, Int, RIndex } from './types.js'
import { NOTES } from './warnings.js'

export type Encoded = number | Complex | string | null

/**
 * R's `1L`: marks a whole number as integer where a plain number would count as numeric. Throws VALUE unless it is a whole
 * number within ±2147483647.
 */
export function int(value: number): Int {
  if (!Number.isInteger(value) || Math.abs(value) > INT_MAX) {
    fail('VALUE', `int(${show(value)}): an integer is a whole number from -2147483647 to 2147483647`)
  }
  return Object.freeze({ int: value + 0 })
}

/** What R's subscript may be. */
type RSubscript = readonly (number | null)[] | Float64Array | Vector<'integer'> | Vector<'numeric'>

/** Subscripts of {@link rIndex} objects, kept out of the public shape. */
const subscripts = new WeakMap<RIndex, RSubscript>()

/**
 * Wraps R's 1-based subscript: zeros drop, negatives exclude, fractions truncate. A plain array is copied, a stored vector shared; a matrix
 * with a column for each dimension picks one cell a row. Throws SUBSCRIPT for anything but numbers and null.
 */
export function rIndex(subscript: number | RSubscript): RIndex {
  const index: RIndex = Object.freeze({ rIndex: true })
  subscripts.set(index, checkSubscript(subscript))
  return index
}

function checkSubscript(x: unknown): RSubscript {
  if (typeof x === 'number') return [x]
  if (x instanceof Float64Array) return x.slice()
  if (isVector(x) && (x.type === 'integer' || x.type === 'numeric')) return x as Vector as Vector<'numeric'>
  if (!Array.isArray(x))
    return fail('SUBSCRIPT', `rIndex takes numbers, not ${isVector(x) ? x.type : show(x)}`, BAD_SUBSCRIPT)
  return Array.from(x, (n: unknown) =>
    n === null || typeof n === 'number'
      ? n
      : fail('SUBSCRIPT', `rIndex takes numbers and null, not ${show(n)}`, BAD_SUBSCRIPT),
  )
}

const BAD_SUBSCRIPT = { kind: 'bad-subscript' }

/** Whether `x` was made by {@link rIndex}. */
export function isRIndex(x: unknown): x is RIndex {
  return typeof x === 'object' && x !== null && subscripts.has(x as RIndex)
}

/** The subscript an {@link rIndex} object wraps. */
export function subscriptOf(index: RIndex): RSubscript {
  return subscripts.get(index) ?? fail('SUBSCRIPT', 'not an index made by rIndex()')
}

/** Whether `x` is an {@link int}. */
export function isInt(x: unknown): x is Int {
  return typeof x === 'object' && x !== null && typeof (x as Int).int === 'number'
}

/** Whether `x` is a complex number. */
export function isComplex(x: unknown): x is Complex {
  return (
    typeof x === 'object' &&
    x !== null &&
    typeof (x as Complex).re === 'number' &&
    typeof (x as Complex).im === 'number'
  )
}

// ---- exact

/** The encoded element, or undefined if the value does not convert exactly. */
export function tryExact(code: number, value: unknown): Encoded | undefined {
  if (code === CHARACTER) return value === null || typeof value === 'string' ? checkText(value) : undefined
  switch (typeof value) {
    case 'number':
      return exactNumber(code, value)
    case 'boolean':
      return exactNumber(code, value ? 1 : 0)
    case 'bigint': {
      const n = Number(value)
      return BigInt(n) === value ? exactNumber(code, n) : undefined
    }
    case 'object':
      if (value === null) return code === RAW ? undefined : null
      if (isComplex(value)) {
        // Copied: what is written later must not run a getter then.
        if (code === COMPLEX) return { re: Number(value.re), im: Number(value.im) }
        return value.im === 0 ? exactNumber(code, value.re) : undefined
      }
      return isInt(value) ? exactNumber(code, value.int) : undefined
    default:
      return undefined
  }
}

function exactNumber(code: number, n: number): Encoded | undefined {
  switch (code) {
    case NUMERIC:
      return n
    case INTEGER:
      return Number.isInteger(n) && Math.abs(n) <= INT_MAX ? n : undefined
    case LOGICAL:
      return n === 0 || n === 1 ? n : undefined
    case RAW:
      return (n & 255) === n ? n : undefined
    default:
      return { re: n, im: 0 }
  }
}

/** As {@link tryExact}; throws VALUE naming the value, the type and, if given, the element. */
export function exact(code: number, value: unknown, at?: number): Encoded {
  const encoded = tryExact(code, value)
  return encoded === undefined ? inexact(code, value, at) : encoded
}

/** Throws the VALUE error of {@link exact}. */
export function inexact(code: number, value: unknown, at?: number): never {
  const what =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? describePair(value) : show(value)
  const where = at === undefined ? '' : ` (element ${at})`
  const { name } = dtypeOf(code)
  const hint =
    value === undefined
      ? 'undefined is never NA: write null'
      : value === null
        ? 'raw has no NA'
        : `it does not convert exactly to ${name}`
  return fail(
    'VALUE',
    `cannot write ${what}${where} into a ${name} vector: ${hint}`,
    at === undefined ? {} : { index: at },
  )
}

function describePair(value: object): string {
  if (isComplex(value)) return `${value.re}${value.im < 0 ? '' : '+'}${value.im}i`
  return isInt(value) ? `int(${value.int})` : show(value)
}

// ---- R's as.*

/** Collects the warnings of one conversion: bits of {@link NOTES}. */
export interface Notes {
  mask: number
}

/** Converts as R's `as.logical`, `as.integer`, ... do. Throws VALUE for what is no value at all (undefined, objects). */
export function convert(code: number, value: unknown, notes: Notes, at?: number): Encoded {
  switch (typeof value) {
    case 'number':
      return convertNumber(code, value, notes)
    case 'boolean':
      return convertNumber(code, value ? 1 : 0, notes)
    case 'bigint': {
      const n = Number(value)
      if (code !== LOGICAL && Math.abs(n) > Number.MAX_SAFE_INTEGER && BigInt(n) !== value)
        notes.mask |= NOTES.precisionLoss
      return convertNumber(code, n, notes)
    }
    case 'string':
      return fail(
        'UNSUPPORTED',
        `converting text (${show(value)}) is not there yet`,
        at === undefined ? {} : { index: at },
      )
    case 'object':
      if (value === null) return missing(code, notes)
      if (isComplex(value)) return convertComplex(code, value, notes)
      if (isInt(value)) return convertNumber(code, value.int, notes)
      return inexact(code, value, at)
    default:
      return inexact(code, value, at)
  }
}

function missing(code: number, notes: Notes): Encoded {
  if (code !== RAW) return null
  notes.mask |= NOTES.rawRange
  return 0
}

function convertNumber(code: number, n: number, notes: Notes): Encoded {
  switch (code) {
    case NUMERIC:
      return n
    case INTEGER: {
      if (Number.isNaN(n)) return null
      const whole = Math.trunc(n)
      if (Math.abs(whole) <= INT_MAX) return whole
      notes.mask |= NOTES.integerRange
      return null
    }
    case LOGICAL:
      return Number.isNaN(n) ? null : n === 0 ? 0 : 1
    case RAW: {
      // By way of integer, whose warning it gives, too.
      const whole = Math.trunc(n)
      if (whole >= 0 && whole <= 255) return whole
      if (Math.abs(whole) > INT_MAX) notes.mask |= NOTES.integerRange
      notes.mask |= NOTES.rawRange
      return 0
    }
    default:
      return { re: n, im: 0 }
  }
}

function convertComplex(code: number, z: Complex, notes: Notes): Encoded {
  if (code === COMPLEX) return z
  if (Number.isNaN(z.re) || Number.isNaN(z.im)) return missing(code, notes)
  if (code === LOGICAL) return z.re === 0 && z.im === 0 ? 0 : 1
  // Out of integer's range, that alone is said.
  const isOut = code !== NUMERIC && Math.abs(Math.trunc(z.re)) > INT_MAX
  if (z.im !== 0 && !isOut) notes.mask |= NOTES.imaginaryDiscarded
  return convertNumber(code, z.re, notes)
}
