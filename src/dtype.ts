/**
 * Element types: codes of the binding, widths, names and aliases. Pure tables; every module may use them.
 */
import { fail, show } from './errors.js'
import type { RType } from './types.js'

export const LOGICAL = 1
export const INTEGER = 2
export const NUMERIC = 3
export const COMPLEX = 4
export const RAW = 5
export const CHARACTER = 6
export const LIST = 7

/** Kinds of objects, as the binding numbers them. */
export const KIND = { vector: 0, matrix: 1, array: 2, list: 3, dataFrame: 4 } as const

/** The types that can be stored in this version, by code. */
export interface Dtype {
  readonly code: number
  readonly name: RType | 'list'
  /** Bytes of one element. */
  readonly width: number
  /** Typed-array elements of one element: complex has two doubles, character four words that no user sees. */
  readonly lanes: number
  /** The typed array of a view; of character, which has none, that of a private lane. */
  readonly array: Float64ArrayConstructor | Int32ArrayConstructor | Uint8ArrayConstructor
  /** R's number for the type. */
  readonly sexptype: number
}

const VECTORS: readonly Dtype[] = [
  { code: LOGICAL, name: 'logical', width: 4, lanes: 1, array: Int32Array, sexptype: 10 },
  { code: INTEGER, name: 'integer', width: 4, lanes: 1, array: Int32Array, sexptype: 13 },
  { code: NUMERIC, name: 'numeric', width: 8, lanes: 1, array: Float64Array, sexptype: 14 },
  { code: COMPLEX, name: 'complex', width: 16, lanes: 2, array: Float64Array, sexptype: 15 },
  { code: RAW, name: 'raw', width: 1, lanes: 1, array: Uint8Array, sexptype: 24 },
  { code: CHARACTER, name: 'character', width: 16, lanes: 4, array: Int32Array, sexptype: 16 },
]

/** What lists and frames are made of: cells that only the binding reads. */
const CELLS: Dtype = { code: LIST, name: 'list', width: 8, lanes: 2, array: Int32Array, sexptype: 19 }

const BY_NAME = new Map<string, Dtype>(VECTORS.map(d => [d.name, d]))
BY_NAME.set('double', VECTORS[NUMERIC - 1] as Dtype)
BY_NAME.set('real', VECTORS[NUMERIC - 1] as Dtype)

/** Known to the format, not stored by this version. */
const LATER = new Set(['float32', 'int8', 'int16', 'int64'])

/** The type with this code. An unknown code comes from a file written by a later version. */
export function dtypeOf(code: number): Dtype {
  if (code === LIST) return CELLS
  return (
    VECTORS[code - 1] ??
    fail('UNSUPPORTED', `this object's element type (code ${code}) is not supported by this version`)
  )
}

/**
 * Reads a type name in any letter case. Throws TYPE for an unknown one and UNSUPPORTED for one of a later version; the first
 * check of every constructor, before lengths and stores are looked at.
 */
export function parseType(type: unknown): Dtype {
  if (typeof type !== 'string')
    return fail('TYPE', `unsupported vector type: type must be one string, not ${show(type)}`)
  const found = BY_NAME.get(type) ?? BY_NAME.get(type.toLowerCase())
  if (found !== undefined) return found
  if (type.toLowerCase() === 'list')
    return fail('TYPE', 'a list holds objects, not elements of a type: use store.list(items)')
  if (LATER.has(type.toLowerCase()))
    return fail('UNSUPPORTED', `vectors of type '${type.toLowerCase()}' are not there yet`)
  return fail(
    'TYPE',
    `unsupported vector type: ${show(type)}; use logical, integer, numeric (double, real), complex, raw or character`,
  )
}

/** Refuses text where elements are bytes. `instead`: what to use. */
export function checkFixed(dtype: Dtype, operation: string, instead: string): void {
  if (dtype.code === CHARACTER)
    fail('TYPE', `${operation}: strings have no bytes of their own; use ${instead}`)
}

/** The same for reading a reference: undefined instead of an error. */
export function knownType(type: unknown): Dtype | undefined {
  return typeof type === 'string' ? BY_NAME.get(type) : undefined
}

/** Bounds of a length, in elements: R's limit. */
export const LENGTH_MAX = 2 ** 52

/** Checks a length argument; R's wording. */
export function checkLength(length: unknown, what = 'length'): number {
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0) {
    return fail('ARGUMENT', `${what} must be a non-negative integer-valued number, not ${show(length)}`)
  }
  if (length > LENGTH_MAX) return fail('ARGUMENT', `${what} ${length} exceeds the limit of 2^52 elements`)
  return length + 0 // -0 becomes 0
}

/** Whether `x` is any typed array (a DataView is not). */
export function isTypedArray(x: unknown): x is NodeJS.TypedArray {
  return ArrayBuffer.isView(x) && !(x instanceof DataView)
}

/** Typed arrays the binding converts itself. */
export function isImportable(x: NodeJS.TypedArray): boolean {
  return (
    x instanceof Float64Array ||
    x instanceof Int32Array ||
    x instanceof Uint8Array ||
    x instanceof Uint32Array ||
    x instanceof Float32Array ||
    x instanceof Int16Array ||
    x instanceof Int8Array ||
    x instanceof BigInt64Array
  )
}
