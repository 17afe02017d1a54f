/**
 * The type of plain values, for `store.from`.
 */
import { isTypedArray } from './dtype.js'
import { fail, show } from './errors.js'
import { isComplex, isInt } from './scalar.js'
import { isVector } from './vector.js'

/** R's c(): the highest kind among the values; nothing but NA is logical. */
export function inferType(values: unknown): string {
  if (values instanceof Int32Array) return 'integer'
  if (values instanceof Uint8Array) return 'raw'
  if (values instanceof Float64Array || values instanceof Uint32Array) return 'numeric'
  if (values instanceof Float32Array) return 'float32'
  if (values instanceof Int8Array) return 'int8'
  if (values instanceof Int16Array) return 'int16'
  if (values instanceof BigInt64Array) return 'int64'
  if (!Array.isArray(values)) {
    const hint = isTypedArray(values) || isVector(values) ? '; use vector(type, values)' : ''
    return fail('ARGUMENT', `from: expected an array or typed array, not ${show(values)}${hint}`)
  }
  let rank = 0
  for (const value of values as unknown[]) rank = Math.max(rank, rankOf(value))
  return RANKS[rank] as string
}

const RANKS = ['logical', 'integer', 'int64', 'numeric', 'complex', 'character']

function rankOf(value: unknown): number {
  if (typeof value === 'number') return 3
  if (typeof value === 'boolean' || value === null) return 0
  if (typeof value === 'bigint') return 2
  if (typeof value === 'string') return 5
  if (isInt(value)) return 1
  if (isComplex(value)) return 4
  return fail(
    'VALUE',
    `from: ${show(value)} is no element${value === undefined ? ': undefined is never NA, write null' : ''}`,
  )
}
