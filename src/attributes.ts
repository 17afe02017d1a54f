/**
 * What belongs to an object beside its elements: the user's own attributes as JSON, shape and names. Reads, changes, copies and compares them.
 */
import { currentShape } from './adopt.js'
import { build } from './create.js'
import { checkDim, checkFits } from './dimensions.js'
import { KIND } from './dtype.js'
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { placeResult } from './home.js'
import { applyExtras, checkDimnames, dimnamesOf, type Extras, type Labels } from './labels.js'
import { native } from './native.js'
import { spaceOf, type Store } from './store.js'
import { isWhole, partsOf, type Vector } from './vector.js'

/** UTF-8 bytes of the longest key. */
const KEY_MAX = 255

function checkKey(key: unknown): string {
  if (typeof key !== 'string')
    return fail('ARGUMENT', `an attribute's key must be a string, not ${show(key)}`)
  if (/\p{Surrogate}/u.test(key)) fail('ENCODING', `key ${show(key)} contains a lone surrogate`)
  const nbytes = Buffer.byteLength(key)
  if (nbytes === 0 || nbytes > KEY_MAX)
    fail('ARGUMENT', `an attribute's key has 1 to ${KEY_MAX} UTF-8 bytes, this one has ${nbytes}`)
  return key
}

/** The value of a user attribute, or undefined. */
export function readAttribute(v: Vector, key: unknown): unknown {
  const wanted = checkKey(key)
  const { handle } = partsOf(v)
  handle.check()
  if (!isWhole(v)) return undefined
  const json = handle.attributes.user.find(([k]) => k === wanted)?.[1]
  return json === undefined ? undefined : (JSON.parse(json) as unknown)
}

/** Sets or, with undefined or null, removes a user attribute. */
export function writeAttribute(v: Vector, key: unknown, value: unknown): void {
  const wanted = checkKey(key)
  const json = value === undefined || value === null ? undefined : toJson(value, wanted)
  const { handle } = partsOf(v)
  attributable(handle, 'setAttribute')
  handle.setAttributes({ user: [json === undefined ? [wanted] : [wanted, json]] })
}

function toJson(value: unknown, key: string): string {
  let json: string | undefined
  try {
    json = JSON.stringify(value) as string | undefined
  } catch (cause) {
    // The user's own toJSON may throw an error of ours, or anything.
    return fail('VALUE', `setAttribute: the value of ${show(key)} has no JSON form: ${String(cause)}`)
  }
  return json ?? fail('VALUE', `setAttribute: the value of ${show(key)} has no JSON form: ${show(value)}`)
}

/** Refuses a dead, read-only or plain-file object; the store it belongs to. */
export function attributable(handle: Handle, operation: string): Store {
  handle.checkChangeable()
  return (
    handle.store ??
    fail('UNSUPPORTED', `${operation}: a plain file has no place for attributes; copy it into a store`)
  )
}

// ---- shape

/** Another shape for the same elements; names and dimnames go unless new ones are given, as with R's `dim<-`. Returns the facade that fits. */
export function reshaped(
  v: Vector,
  kind: number,
  dim: readonly number[],
  dimnames: unknown,
  operation: string,
): Vector {
  const { handle, length } = partsOf(v)
  const store = attributable(handle, operation)
  checkFits(dim, length)
  const along = checkDimnames(dimnames, dim, handle.space, operation)
  applyExtras(handle, store, { class: kind, dim, names: null, ...(along !== null && { dimnames: along }) })
  return currentShape(handle)
}

/** Vector.reshape: two extents make a matrix, any other number an array. */
export function reshapeTo(v: Vector, dim: unknown, dimnames: unknown): Vector {
  const extents = checkDim(dim, 'reshape')
  return reshaped(v, extents.length === 2 ? KIND.matrix : KIND.array, extents, dimnames, 'reshape')
}

/** A committed copy of the elements in another shape, in the vector's store or, if that cannot be written, the default. */
export function copyShaped(
  v: Vector,
  kind: number,
  dim: readonly number[],
  dimnames: unknown,
  operation: string,
): Vector {
  const { handle, start, length } = partsOf(v)
  handle.check()
  const place = placeResult(handle, { keep: true }, operation)
  const along = checkDimnames(dimnames, dim, spaceOf(place.store), operation)
  const fill = (to: Handle): void => {
    native.copyRange(to.token, 0, handle.token, start, length)
  }
  return build(place, handle.dtype, length, false, fill, {
    class: kind,
    dim,
    ...(along && { dimnames: along }),
  })
}

// ---- copies and comparison

/** What a copy of `v` gets: shape, names and the user's attributes. */
export function extrasOf(v: Vector): Extras | undefined {
  const { handle } = partsOf(v)
  const user = isWhole(v) ? handle.attributes.user : []
  const { dim, names } = v
  if (dim === null && names === null && user.length === 0) return undefined
  const dimnames = allDimnames(v)
  return {
    ...(dim !== null && { dim, class: v.kind === 'matrix' ? KIND.matrix : KIND.array }),
    // Those of a 1-d array are its dimnames.
    ...(names !== null && (dim?.length !== 1 || handle.attributes.names) && { names }),
    ...(dimnames !== null && { dimnames }),
    ...(user.length > 0 && { user: user.map(([key, json]): [string, string] => [key, json]) }),
  }
}

/** Names along the extents; also of a handle whose class knows of none, since the object was reshaped later. */
function allDimnames(v: Vector): readonly (Labels | null)[] | null {
  if ('dimnames' in v) return (v as { dimnames: readonly (Vector<'character'> | null)[] | null }).dimnames
  return isWhole(v) ? dimnamesOf(partsOf(v).handle) : null
}

/** Whether shape, names and the user's attributes are the same; the latter as their JSON text, in any order. */
export function sameAttributes(a: Vector, b: Vector): boolean {
  const [x, y] = [extrasOf(a), extrasOf(b)]
  if (x === undefined || y === undefined) return x === y
  return (
    x.class === y.class &&
    JSON.stringify(x.dim) === JSON.stringify(y.dim) &&
    sameLabels(x.names ?? null, y.names ?? null) &&
    (x.dimnames?.length ?? 0) === (y.dimnames?.length ?? 0) &&
    (x.dimnames ?? []).every((labels, i) => sameLabels(labels, y.dimnames?.[i] ?? null)) &&
    JSON.stringify([...(x.user ?? [])].sort()) === JSON.stringify([...(y.user ?? [])].sort())
  )
}

function sameLabels(a: Labels | null, b: Labels | null): boolean {
  return a === b || (a !== null && b !== null && (a as Vector).equals(b as Vector))
}
