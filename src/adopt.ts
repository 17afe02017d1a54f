/**
 * Which class a vector-like object has here, and that it is made once: the facade object tied to a token, and those of other classes that
 * reshaping calls for. The shaped classes extend Vector, whose module needs this one, so they tell here how they are made.
 */
import { KIND } from './dtype.js'
import { quietly } from './errors.js'
import type { Handle } from './handle.js'
import { native } from './native.js'
import type { Shaped, Stored } from './types.js'
import { isVector, makeVector, partsOf, type Vector } from './vector.js'

/** Names of the kinds that are vectors. */
export const KINDS: readonly Shaped[] = ['vector', 'matrix', 'array']

/** Makes a facade over a whole object. */
export type Maker = (handle: Handle) => Vector

/** By kind; a vector needs no entry. */
export const makers: (Maker | undefined)[] = []

/** Makes the facade object of a fresh token, of the class the object has, and ties them together. */
export function adopt(handle: Handle, kind: number = handle.kind): Vector {
  const facade = make(handle, kind)
  handle.owner = facade
  handle.ownerKind = kind
  native.attach(handle.token, facade)
  // Asked at once: what is known of a dead object is what was asked while it lived.
  if (handle.kind !== KIND.vector) void handle.attributes
  return facade
}

/** The facade of the class `kind`: the same each time. */
export function shapedAs(handle: Handle, kind: number): Vector {
  if (kind === handle.ownerKind && handle.owner !== undefined) return handle.owner as Vector
  // What reshaping made holds the handle and so the first facade: the token lives as long as any of them.
  return ((handle.others ??= [])[kind] ??= make(handle, kind))
}

/** The facade of the class the object has now, given one that it has or had. */
export function shapedNow(found: Stored): Stored {
  return isVector(found) ? currentShape(partsOf(found).handle) : found
}

/** The same from a handle. */
export function currentShape(handle: Handle): Vector {
  quietly(() => handle.isAlive(), false)
  return shapedAs(handle, handle.kind)
}

function make(handle: Handle, kind: number): Vector {
  return makers[kind]?.(handle) ?? makeVector(handle, 0, handle.length)
}
