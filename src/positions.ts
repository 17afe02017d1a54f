/**
 * Positions and parts as callers give them: what names an element, one subscript for each dimension, ranges as Array.slice reads them, and what
 * only a whole object can be. Checks alone; nothing is read or written.
 */
import { fail, show } from './errors.js'
import { isRIndex } from './scalar.js'
import type { RIndex } from './types.js'
import { isWhole, type Vector } from './vector.js'

/** Refuses what only the object itself can be. */
export function checkWhole(v: Vector, verb: string): void {
  if (!isWhole(v)) {
    fail(
      'ARGUMENT',
      `a subarray shares its vector's elements and cannot be ${verb} alone: use the vector, or copy() it first`,
    )
  }
}

/** Whether an element is named by something else than a position from 0. */
export function isByMeaning(i: unknown): i is string | RIndex {
  return typeof i === 'string' || isRIndex(i)
}

/** One subscript for each dimension of `x`; holes are subscripts left empty. */
export function checkIndices(index: unknown, x: Vector, operation: string): unknown[] {
  if (!Array.isArray(index))
    return fail('ARGUMENT', `${operation}: expected an array of subscripts, not ${show(index)}`)
  const { dim } = x
  if (index.length === 0 || (index.length === 1 && dim !== null && dim.length !== 1)) {
    fail(
      'DIM',
      `${operation}: incorrect number of dimensions: ${index.length} subscripts for ${dim?.length ?? 1}`,
      {
        kind: 'wrong-dims',
      },
    )
  }
  return Array.from(index as unknown[])
}

/** Start and end as Array.slice reads them: negative from the end, truncated, clamped. */
export function relativeRange(
  start: unknown,
  end: unknown,
  length: number,
  operation: string,
): { from: number; to: number } {
  const from = relative(start, 0, length, operation)
  return { from, to: Math.max(from, relative(end, length, length, operation)) }
}

function relative(position: unknown, byDefault: number, length: number, operation: string): number {
  if (position === undefined) return byDefault
  if (typeof position !== 'number')
    return fail('SUBSCRIPT', `${operation}: a position must be a number, not ${show(position)}`)
  const whole = Math.trunc(position) || 0
  return whole < 0 ? Math.max(0, length + whole) : Math.min(whole, length)
}
