/**
 * Names of elements and along extents: what a user gives, checked; the temporaries that become an object's parts; and the parts as vectors
 * that share, so that writing one changes the names.
 */
import { adopt, currentShape } from './adopt.js'
import { createPart, discard } from './create.js'
import { fail, quietly, show } from './errors.js'
import { Handle } from './handle.js'
import { native, type NativeChanges } from './native.js'
import type { Space } from './memory.js'
import { spaceOf, type Store } from './store.js'
import { isWellFormed } from './text.js'
import { isVector, labelsOf, partsOf, type Vector } from './vector.js'

/** Checked names, not yet copied. */
export type Labels = readonly (string | null)[] | Vector<'character'>

/** Which part: names, names of a frame's rows, or 2 and the extent. */
export const NAMES = 0
export const ROW_NAMES = 1
export const ALONG = 2

/** What an object gets beside its elements; `class` 1 is a matrix, 2 an array. */
export interface Extras {
  readonly class?: number
  readonly dim?: readonly number[]
  readonly names?: Labels | null | undefined
  readonly dimnames?: readonly (Labels | null)[] | null | undefined
  /** Key, and JSON text unless the attribute goes. */
  readonly user?: [string, string?][]
}

// ---- checks

/** Checks names for `length` elements; null and undefined are none. */
export function checkNames(given: unknown, length: number, space: Space, operation: string): Labels | null {
  if (given === undefined || given === null) return null
  const labels = checkLabels(given, `${operation}: names`, space)
  if (labels.length !== length) {
    fail(
      'LENGTH',
      `${operation}: 'names' attribute [${labels.length}] must be the same length as the vector [${length}]`,
      { names: labels.length, length },
    )
  }
  return labels
}

/** Checks names along each extent; null, undefined and an empty array are none. */
export function checkDimnames(
  given: unknown,
  dim: readonly number[],
  space: Space,
  operation: string,
): readonly (Labels | null)[] | null {
  if (given === undefined || given === null) return null
  if (!Array.isArray(given))
    return fail(
      'ARGUMENT',
      `${operation}: 'dimnames' must be an array with one entry per dimension, not ${show(given)}`,
    )
  if (given.length === 0) return null
  if (given.length !== dim.length) {
    fail(
      'DIM',
      `${operation}: length of 'dimnames' [${given.length}] must match that of 'dims' [${dim.length}]`,
      { dimnames: given.length, dim },
    )
  }
  return dim.map((extent, i) => checkAlong(given[i], i, extent, space, operation))
}

function checkAlong(
  given: unknown,
  i: number,
  extent: number,
  space: Space,
  operation: string,
): Labels | null {
  if (given === null) return null
  if (given === undefined) fail('VALUE', `${operation}: dimnames[${i}] is undefined; no names are null`)
  const labels = checkLabels(given, `${operation}: dimnames[${i}]`, space)
  // R: a component of length 0 is none.
  if (labels.length === 0) return null
  if (labels.length !== extent) {
    fail(
      'DIM',
      `${operation}: length of 'dimnames' [${i + 1}] not equal to array extent: ${labels.length} names for ${extent}`,
      { dimension: i, extent, names: labels.length },
    )
  }
  return labels
}

function checkLabels(given: unknown, what: string, space: Space): Labels {
  if (isVector(given)) {
    if (given.type !== 'character')
      fail('TYPE', `${what} must be text: a character vector or an array of strings, not ${given.type}`)
    const { handle } = partsOf(given)
    handle.check()
    if (handle.space.users !== space.users) {
      fail(
        'OTHER_STORE',
        `${what}: the vector belongs to ${handle.space.path || 'another store'}; copy it first`,
      )
    }
    return given as Vector as Vector<'character'>
  }
  if (!Array.isArray(given)) return fail('TYPE', `${what} must be an array of strings, not ${show(given)}`)
  for (let k = 0; k < given.length; k++) checkLabel(given[k], what, k)
  // A copy: what the user's code changes meanwhile is not checked again.
  return Array.from(given as (string | null)[])
}

function checkLabel(x: unknown, what: string, k: number): void {
  if (x === null) return
  if (x === undefined)
    fail('VALUE', `${what}: element ${k} is undefined; a missing name is null`, { index: k })
  if (typeof x !== 'string')
    return fail('TYPE', `${what}: element ${k} must be a string or null, not ${show(x)}`)
  if (!isWellFormed(x)) fail('ENCODING', `${what}: element ${k} contains a lone surrogate`, { index: k })
}

// ---- parts

/** Gives an object its extras, all or none: the names are copied into parts of its own. */
export function applyExtras(handle: Handle, store: Store, extras: Extras): void {
  const made: Handle[] = []
  const part = (labels: Labels | null): number => {
    if (labels === null) return -1
    const child = createPart(store, labels)
    made.push(child)
    return child.token
  }
  try {
    const changes: NativeChanges = {}
    if (extras.dim !== undefined) {
      changes.class = extras.class as number
      changes.dim = [...extras.dim]
    }
    if (extras.names !== undefined) changes.names = part(extras.names)
    if (extras.dimnames !== undefined)
      changes.dimnames = extras.dimnames?.map(part) ?? handle.attributes.dim?.map(() => -1) ?? []
    if (extras.user !== undefined) changes.user = extras.user as string[][]
    handle.setAttributes(changes)
  } catch (e) {
    for (const child of made) discard(child)
    throw e
  }
}

// ---- reading

/** R's names(): of a subarray the part of its vector's names; of a column the row names; of a 1-d array its dimnames. */
export function namesOf(v: Vector): Vector<'character'> | null {
  const { handle, start, length } = partsOf(v)
  const labels = labelsOf(v)
  const { names, dim } = handle.attributes
  const own = !names && dim?.length === 1 ? ALONG : NAMES
  const role = labels?.role ?? own
  return partOf(handle, role, labels?.start ?? start, length)
}

/** Names along an extent of an object: elements [start, start + length) of them. */
export function namesAlong(
  handle: Handle,
  i: number,
  start: number,
  length: number,
): Vector<'character'> | null {
  return partOf(handle, ALONG + i, start, length)
}

/** Names along every extent of a whole object, or null without any. */
export function dimnamesOf(handle: Handle): readonly (Vector<'character'> | null)[] | null {
  const { dim, dimnames } = handle.attributes
  if (dim === null || dimnames === null) return null
  return Object.freeze(dim.map((extent, i) => namesAlong(handle, i, 0, extent)))
}

/** Elements [start, start + length) of a part of an object, shared; null: it has none, or is dead. */
export function partOf(
  handle: Handle,
  role: number,
  start: number,
  length: number,
): Vector<'character'> | null {
  const { names, rowNames, dimnames } = handle.attributes
  const isThere = role === NAMES ? names : role === ROW_NAMES ? rowNames : dimnames?.[role - ALONG] === true
  if (!isThere || handle.store === null || !quietly(() => handle.isAlive(), false)) return null
  const found = native.childOf(handle.token, role) ?? undefined
  if (found === undefined) return null
  const whole =
    found === 1
      ? adopt(new Handle(spaceOf(handle.store), handle.store, null))
      : currentShape(partsOf(found as Vector).handle)
  partsOf(whole).handle.whole = handle
  // Reshaped since the window was made: its names went with the old shape.
  if (start + length > whole.length) return null
  const part = start === 0 && length === whole.length ? whole : whole.subarray(start, start + length)
  return part as Vector as Vector<'character'>
}
