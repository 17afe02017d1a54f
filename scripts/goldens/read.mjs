// What a call returned, in the goldens' form. Fixed-width elements are read through view(), so that every bit counts; scalars have
// lost what JavaScript cannot say (integer or numeric, which part of a complex number is NA) and take that from the expectation.
import { hexOf, hexOfAll, NA } from './bits.mjs'

const INT_NA = -2147483648
const NULL = { type: 'null' }

/** A stored object, or null, as a value. */
export function readObject(x) {
  if (x === null || x === undefined) return NULL
  if (typeof x !== 'object' || typeof x.type !== 'string') throw new Error(`not a stored object: ${typeof x}`)
  const value = { type: x.type, values: x.type === 'list' ? Array.from(x, readObject) : readElements(x) }
  const names = namesOf(x.names)
  if (x.dim != null) {
    value.dim = [...x.dim]
    if (x.dimnames != null) value.dimnames = x.dimnames.map(namesOf)
  } else if (names !== null) {
    value.names = names
  }
  return value
}

function namesOf(names) {
  return names == null ? null : Array.isArray(names) ? names : names.toArray()
}

function readElements(x) {
  if (x.type === 'character') return x.toArray()
  const view = x.view()
  switch (x.type) {
    case 'logical':
      return Array.from(view, n => (n === INT_NA ? null : n === 0 ? false : n === 1 ? true : n))
    case 'integer':
      return Array.from(view, n => (n === INT_NA ? null : n))
    case 'numeric':
      return hexOfAll(view)
    case 'complex': {
      const parts = hexOfAll(view)
      return Array.from({ length: parts.length / 2 }, (_, i) => parts.slice(2 * i, 2 * i + 2))
    }
    default:
      return Array.from(view)
  }
}

/** Plain scalars as a value: of `type` where the call says it (an element of a vector), else of the expected type if they fit. */
export function readScalars(scalars, want, type) {
  const as = type ?? (scalars.every(x => fits(x, want?.type)) ? want.type : natural(scalars))
  return { type: as, values: scalars.map((x, i) => encode(x, as, want?.values?.[i])) }
}

function fits(x, type) {
  if (x === null) return type !== undefined && type !== 'raw'
  switch (type) {
    case 'logical':
      return typeof x === 'boolean'
    case 'integer':
      return Number.isInteger(x) && Math.abs(x) < 2 ** 31 && !Object.is(x, -0)
    case 'numeric':
    case 'raw':
      return typeof x === 'number'
    case 'complex':
      return typeof x === 'object'
    case 'character':
      return typeof x === 'string'
    default:
      return false
  }
}

const NATURAL = {
  boolean: 'logical',
  number: 'numeric',
  string: 'character',
  object: 'complex',
  bigint: 'int64',
}

function natural(scalars) {
  const known = scalars.find(x => x !== null && x !== undefined)
  return NATURAL[typeof known] ?? typeof known
}

function encode(x, type, want) {
  if (type === 'numeric') return x === null ? NA : hexOf(x)
  if (type !== 'complex') return x
  if (x !== null) return [hexOf(x.re), hexOf(x.im)]
  // Null says that a part is NA, not which.
  return Array.isArray(want) && want.includes(NA) ? want : [NA, NA]
}
