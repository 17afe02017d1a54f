/**
 * R's names for assignment in place: `fmallocSet` and `fmallocFill` convert as R does and refuse text. Unlike R, every position is checked before
 * the first write.
 */
import { setAt } from './brackets.js'
import { fillWith } from './bulk.js'
import { checkFixed, isTypedArray } from './dtype.js'
import { fail, show } from './errors.js'
import { convert, isComplex, isInt, type Encoded, type Notes } from './scalar.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

/** Anything with numbered elements. */
interface Row {
  readonly length: number
  at(k: number): unknown
}

export function setConverted(x: Vector, index: unknown, value: unknown): void {
  const { handle } = partsOf(x)
  handle.checkWritable()
  checkFixed(handle.dtype, 'fmallocSet', 'set()')
  if (isText(value)) refuseText(value)
  setAt(x, index, value, false, 'fmallocSet')
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

function isText(x: unknown): boolean {
  if (Array.isArray(x)) return x.some(value => typeof value === 'string')
  return typeof x === 'string' || (isVector(x) && x.type === 'character')
}

function refuseText(x: unknown): never {
  return fail('TYPE', `cannot write text (${show(x)}) into a fixed-width vector`)
}

function convertValue(code: number, value: unknown, notes: Notes, at: number): Encoded {
  if (typeof value === 'string') refuseText(value)
  return convert(code, value, notes, at)
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
