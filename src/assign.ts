/**
 * Assignment in place through several positions: `set(index, values)` takes exact values, `fmallocSet` and `fmallocFill` convert as R does and
 * refuse text. Unlike R, every position and value is checked before the first write.
 */
import { fillWith } from './bulk.js'
import { checkFixed, isTypedArray } from './dtype.js'
import { fail, show } from './errors.js'
import { convert, exact, isComplex, isInt, type Encoded, type Notes } from './scalar.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

/** Anything with numbered elements. */
interface Row {
  readonly length: number
  at(k: number): unknown
}

export function assign(
  x: Vector<never> | Vector,
  index: unknown,
  value: unknown,
  operation: 'set' | 'fmallocSet',
): void {
  const { handle, length } = partsOf(x)
  handle.checkWritable()
  if (operation === 'fmallocSet') checkFixed(handle.dtype, operation, 'set()')
  const positions = positionsOf(index, operation)
  const values = valuesOf(value, operation)
  for (let k = 0; k < positions.length; k++) checkPosition(positions.at(k), length, k, operation)
  if (positions.length === 0) return
  if (values.length !== 1 && values.length !== positions.length) {
    fail(
      'LENGTH',
      `${operation}: ${values.length} values for ${positions.length} positions; give one, or one for each`,
    )
  }
  const { code } = handle.dtype
  const notes: Notes = { mask: 0 }
  const encoded: Encoded[] = []
  for (let k = 0; k < values.length; k++) {
    encoded.push(
      operation === 'set' ? exact(code, values.at(k), k) : convertValue(code, values.at(k), notes, k),
    )
  }
  for (let k = 0; k < positions.length; k++) {
    // An encoded element converts exactly: set takes logical 0 and 1 too.
    ;(x as Vector).set(positions.at(k) as number, encoded[values.length === 1 ? 0 : k] as Encoded)
  }
  warnMask(notes.mask, operation)
}

export function fillConverted(x: Vector, value: unknown): void {
  const parts = partsOf(x)
  parts.handle.checkWritable()
  checkFixed(parts.handle.dtype, 'fmallocFill', 'fill()')
  const values = valuesOf(value, 'fmallocFill')
  if (values.length !== 1) fail('LENGTH', `fmallocFill: expected one value, not ${values.length}`)
  const notes: Notes = { mask: 0 }
  const encoded = convertValue(parts.handle.dtype.code, values.at(0), notes, 0)
  fillWith(parts, encoded)
  warnMask(notes.mask, 'fmallocFill')
}

function checkPosition(i: unknown, length: number, k: number, operation: string): void {
  if (typeof i !== 'number' || !Number.isInteger(i)) {
    fail('SUBSCRIPT', `${operation}: a position must be a whole number, not ${show(i)} (subscript ${k})`, {
      at: k,
    })
  }
  if (i < 0 || i >= length) {
    fail('OUT_OF_BOUNDS', `subscript out of bounds: ${i} is not in 0..${length - 1} (subscript ${k})`, {
      index: i,
      at: k,
    })
  }
}

function convertValue(code: number, value: unknown, notes: Notes, at: number): Encoded {
  if (typeof value === 'string') fail('TYPE', `cannot write text (${show(value)}) into a fixed-width vector`)
  return convert(code, value, notes, at)
}

/** Positions: one number, numbers in an array or typed array, or a vector of numbers. */
function positionsOf(x: unknown, operation: string): Row {
  if (typeof x === 'number') return { length: 1, at: () => x }
  if (x instanceof Int32Array || x instanceof Uint32Array || x instanceof Float64Array) return fromArray(x)
  if (isVector(x) && (x.type === 'integer' || x.type === 'numeric'))
    return { length: x.length, at: k => x.get(k) }
  if (Array.isArray(x) && !x.some(e => typeof e === 'boolean' || typeof e === 'string')) return fromArray(x)
  return fail(
    'UNSUPPORTED',
    `${operation}: masks, names and rIndex() are not there yet; use positions, write() or a loop over view()`,
  )
}

function valuesOf(x: unknown, operation: string): Row {
  if (isVector(x)) return { length: x.length, at: k => x.get(k) }
  if (Array.isArray(x) || isTypedArray(x)) return fromArray(x as ArrayLike<unknown>)
  if (typeof x === 'object' && x !== null && !isComplex(x) && !isInt(x)) {
    return fail(
      'VALUE',
      `${operation}: expected a value, an array, a typed array or a Vector, not ${show(x)}`,
    )
  }
  return { length: 1, at: () => x }
}

function fromArray(x: ArrayLike<unknown>): Row {
  return { length: x.length, at: k => x[k] }
}
