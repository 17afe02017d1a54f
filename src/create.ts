/**
 * How a vector comes to be: choose its store and place, reserve, fill, commit. If anything throws in between, the temporary is destroyed
 * and nothing was there. A taken name is refused before anything is built.
 */
import { adopt } from './adopt.js'
import { collect, setChunks, writeValues, CHUNK } from './bulk.js'
import { checkFits, checkDim, checkMatrixDim, product } from './dimensions.js'
import {
  CHARACTER,
  checkLength,
  COMPLEX,
  LOGICAL,
  isImportable,
  KIND,
  isTypedArray,
  parseType,
  type Dtype,
} from './dtype.js'
import { fail, isFmallocError, show } from './errors.js'
import { collectGarbage } from './gc.js'
import { Handle } from './handle.js'
import { inferType } from './infer.js'
import { applyExtras, checkDimnames, checkNames, type Extras, type Labels } from './labels.js'
import { Lane } from './lane.js'
import type { Space } from './memory.js'
import { FACT, facts, native, staging } from './native.js'
import { checkFlag, checkKeys, isGiven } from './options.js'
import { convert, type Notes } from './scalar.js'
import { spaceOf, type Store } from './store.js'
import { checkTexts, writeTexts } from './text.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

/** Where a new vector goes. */
export interface Place {
  readonly store: Store
  readonly name: string | null
  readonly replace: boolean
  /** False: it stays a temporary. */
  readonly commit: boolean
}

/** UTF-8 bytes of the longest name. */
const NAME_MAX = 4096

/** Checks a name: any non-empty well-formed Unicode up to 4 096 UTF-8 bytes. */
export function checkName(name: unknown): string {
  if (typeof name !== 'string') return fail('ARGUMENT', `name must be a string, not ${show(name)}`)
  if (name === '') return fail('ARGUMENT', 'name must not be empty')
  if (/\p{Surrogate}/u.test(name)) fail('ENCODING', `name ${show(name)} contains a lone surrogate`)
  if (name.length > NAME_MAX / 3 && Buffer.byteLength(name) > NAME_MAX) {
    fail('ARGUMENT', `name ${show(name)} is longer than ${NAME_MAX} UTF-8 bytes`)
  }
  return name
}

/** Refuses a taken name unless it is to be replaced. */
export function checkFree(space: Space, name: string, replace: boolean): void {
  if (!replace && native.has(space.handle, name)) {
    fail(
      'EXISTS',
      `${show(name)} exists in ${space.path}; pass { replace: true } to replace it, or get it with store.get`,
      { name },
    )
  }
}

/** Checks name and replace of an options object against the store. */
export function placeIn(store: Store, raw: Readonly<Record<string, unknown>>, commit: boolean): Place {
  const place = unclaimedPlace(store, raw, commit)
  if (place.name !== null) checkFree(spaceOf(store), place.name, place.replace)
  return place
}

/** The same for what is made in one call, which refuses a taken name itself. */
function unclaimedPlace(store: Store, raw: Readonly<Record<string, unknown>>, commit: boolean): Place {
  const replace = checkFlag(raw['replace'], false, 'replace')
  const name = isGiven(raw['name']) ? checkName(raw['name']) : null
  spaceOf(store).checkCreatable()
  return { store, name, replace, commit: commit || name !== null }
}

/** Vectors of this thread whose elements are being written: code of the user's may run in between. */
let building = 0

/** Refuses what would move a vector that is half made. */
export function checkNotBuilding(operation: string): void {
  if (building > 0)
    fail('BUSY', `${operation} cannot be called while a vector is being made from values or by map()`)
}

/**
 * Makes a vector of `length` elements and commits it where the place says so. `fill` writes its elements first; then it gets its shape, names and
 * attributes.
 */
export function build(
  place: Place,
  dtype: Dtype,
  length: number,
  zero: boolean,
  fill?: (handle: Handle, vector: Vector) => void,
  extras?: Extras,
): Vector {
  const space = spaceOf(place.store)
  reserve(space, dtype.code, length, zero)
  const pressed = facts[FACT.pressure] === 1
  const handle = new Handle(space, place.store, null)
  const vector = adopt(handle, extras?.class)
  try {
    if (pressed) relieve('minor')
    if (fill !== undefined) {
      building++
      try {
        fill(handle, vector)
      } finally {
        building--
      }
    }
    if (extras !== undefined) applyExtras(handle, place.store, extras)
    if (place.commit) handle.commit(place.name, place.replace)
    else {
      handle.check()
      handle.checkWhole(0, length, true)
      space.scopes.at(-1)?.note(handle)
    }
  } catch (e) {
    discard(handle)
    throw e
  }
  return vector
}

/** A temporary with names that is to become a part of another object: no scope of `tidy` frees it. */
export function createPart(store: Store, labels: Labels): Handle {
  const dtype = parseType('character')
  const { length, fill } = fillerOf(dtype, labels, { mask: 0 }, 'names', store)()
  const space = spaceOf(store)
  reserve(space, dtype.code, length, false)
  const handle = new Handle(space, store, null)
  adopt(handle)
  try {
    fill(handle)
  } catch (e) {
    discard(handle)
    throw e
  }
  return handle
}

/** A temporary of plain values that convert exactly: an operand that crosses to the binding. Doubles given as complex are real numbers. */
export function createTemporary(
  store: Store,
  dtype: Dtype,
  values: readonly unknown[] | NodeJS.TypedArray,
): Vector {
  const isReal = dtype.code === COMPLEX && values instanceof Float64Array
  const given = isReal ? Array.from(values as Float64Array) : values
  const { length } = given
  return build(placeIn(store, {}, false), dtype, length, false, handle =>
    writeValues({ handle, start: 0, length }, given, 0),
  )
}

const stagedLanes = new Map<number, Lane>()

/** The staging page as elements of a type. */
function stagedLane(dtype: Dtype): Lane {
  let lane = stagedLanes.get(dtype.code)
  if (lane === undefined) {
    lane = new Lane(dtype.code, staging, 0, 0, staging.byteLength / dtype.width, 0)
    stagedLanes.set(dtype.code, lane)
  }
  return lane
}

/** An element's getter may make another vector while the page is half written: that one goes the long way. */
let isStaging = false

/** Stages a few values that need no other array: their count, or -1 for a source that goes the long way. */
function stage(dtype: Dtype, source: unknown, notes: Notes): number {
  if (isStaging || dtype.code === CHARACTER) return -1
  if (Array.isArray(source)) {
    const { length } = source
    if (length * dtype.width > staging.byteLength) return -1
    const lane = stagedLane(dtype)
    isStaging = true
    try {
      for (let k = 0; k < length; k++) lane.write(k, convert(dtype.code, source[k], notes, k))
    } finally {
      isStaging = false
    }
    return length
  }
  // Bits that are this type's elements already; an Int32Array given as logical is converted.
  if (!(source instanceof dtype.array) || dtype.code === LOGICAL) return -1
  const { byteLength } = source
  if (byteLength > staging.byteLength || byteLength % dtype.width !== 0) return -1
  stagedLane(dtype).array.set(source as never)
  return byteLength / dtype.width
}

/** A committed vector of the first staged elements, in one call. */
function putStaged(place: Place, dtype: Dtype, length: number): Vector {
  const space = spaceOf(place.store)
  native.put(space.handle, dtype.code, length, place.name, place.replace)
  return adopt(new Handle(space, place.store, place.name))
}

/** Destroys what is half made. */
export function discard(handle: Handle): void {
  try {
    handle.destroy(false)
  } catch {
    // The store was closed meanwhile: the temporary went with it. The first error is the one to report.
  }
}

function reserve(space: Space, code: number, length: number, zero: boolean): void {
  withRelief(() => native.reserve(space.handle, code, length, zero))
}

/** Makes temporaries; a full store first gives back what is unreachable. */
export function withRelief<R>(make: () => R): R {
  for (const collection of ['minor', 'major'] as const) {
    try {
      return make()
    } catch (e) {
      if (!isFmallocError(e, 'ERR_FMALLOC_NO_SPACE')) throw e
      relieve(collection)
    }
  }
  return make()
}

export function relieve(collection: 'minor' | 'major'): void {
  collectGarbage(collection)
  native.sweep()
}

// ---- the constructor behind store.vector, store.from and createFmallocVector

export const CREATE_KEYS = ['name', 'replace', 'zeroInitialize', 'names'] as const

/** A committed vector from a length or from values, converted as R's `as.*` do. Type and options are checked first. */
export function createVector(
  store: Store,
  dtype: Dtype,
  source: unknown,
  options: unknown,
  operation: string,
): Vector {
  const raw = checkKeys(options, CREATE_KEYS, operation)
  const zero = checkFlag(raw['zeroInitialize'], true, 'zeroInitialize')
  if (isGiven(raw['names'])) {
    const extrasFor = (length: number): Extras => ({
      names: checkNames(raw['names'], length, spaceOf(store), operation),
    })
    return createWith(store, dtype, source, raw, zero, extrasFor, operation)
  }
  if (typeof source === 'number') {
    const length = checkLength(source)
    return build(placeIn(store, raw, true), dtype, length, zero)
  }
  const notes: Notes = { mask: 0 }
  const small = Array.isArray(source) || isTypedArray(source) ? unclaimedPlace(store, raw, true) : undefined
  const staged = small === undefined ? -1 : stage(dtype, source, notes)
  if (small !== undefined && staged >= 0) {
    const vector = putStaged(small, dtype, staged)
    warnMask(notes.mask, operation)
    return vector
  }
  const filler = fillerOf(dtype, source, notes, operation, store)
  const place = placeIn(store, raw, true)
  const { length, fill } = filler()
  const vector = build(place, dtype, length, false, fill)
  warnMask(notes.mask, operation)
  return vector
}

/** The same with names or a shape, which `extrasFor` checks once the length is known. */
function createWith(
  store: Store,
  dtype: Dtype,
  source: unknown,
  raw: Readonly<Record<string, unknown>>,
  zero: boolean,
  extrasFor: (length: number) => Extras,
  operation: string,
): Vector {
  const notes: Notes = { mask: 0 }
  if (typeof source === 'number') {
    const length = checkLength(source)
    const extras = extrasFor(length)
    return build(placeIn(store, raw, true), dtype, length, zero, undefined, extras)
  }
  const filler = fillerOf(dtype, source, notes, operation, store)
  const place = placeIn(store, raw, true)
  const { length, fill } = filler()
  const vector = build(place, dtype, length, false, fill, extrasFor(length))
  warnMask(notes.mask, operation)
  return vector
}

// ---- the constructor behind store.matrix, store.array and their R names

export const SHAPED_KEYS = [...CREATE_KEYS, 'values', 'dimnames'] as const

/** A committed matrix or array, by `kind`: zeros, or `values`, whose number must be the product of the extents. */
export function createShaped(
  store: Store,
  dtype: Dtype,
  kind: number,
  dim: unknown,
  options: unknown,
  operation: string,
): Vector {
  const extents = kind === KIND.matrix ? checkMatrixDim(dim, operation) : checkDim(dim, operation)
  const raw = checkKeys(options, SHAPED_KEYS, operation)
  const zero = checkFlag(raw['zeroInitialize'], true, 'zeroInitialize')
  const dimnames = checkDimnames(raw['dimnames'], extents, spaceOf(store), operation)
  const names = checkNames(raw['names'], product(extents), spaceOf(store), operation)
  const source = isGiven(raw['values']) ? raw['values'] : product(extents)
  if (isGiven(raw['values']) && typeof source === 'number')
    fail('ARGUMENT', `${operation}: values must be an array, a typed array or a Vector, not ${show(source)}`)
  const extrasFor = (length: number): Extras => {
    checkFits(extents, length)
    return {
      class: kind,
      dim: extents,
      ...(names !== null && { names }),
      ...(dimnames !== null && { dimnames }),
    }
  }
  return createWith(store, dtype, source, raw, zero, extrasFor, operation)
}

interface Filler {
  readonly length: number
  readonly fill: (handle: Handle) => void
}

/** Checks the kind of a source at once; what it returns reads the source. */
export function fillerOf(
  dtype: Dtype,
  source: unknown,
  notes: Notes,
  operation: string,
  store: Store,
): () => Filler {
  if (isVector(source)) {
    const { handle: from, start, length } = partsOf(source)
    from.check()
    return () => ({
      length,
      fill: handle => {
        notes.mask |= native.copyRange(handle.token, 0, from.token, start, length)
      },
    })
  }
  if (dtype.code === CHARACTER) return textFiller(source, operation, store)
  if (isTypedArray(source)) {
    const pairs = dtype.code === COMPLEX && source instanceof Float64Array
    if (pairs && source.length % 2 !== 0) {
      fail(
        'LENGTH',
        `${operation}: a Float64Array given as complex holds pairs, but its length ${source.length} is odd`,
      )
    }
    if (isImportable(source))
      return () => typedFiller(dtype, source, pairs ? source.length / 2 : source.length, notes)
    return () => arrayFiller(dtype, Array.from(source as Iterable<number | bigint>), notes)
  }
  if (Array.isArray(source)) return () => arrayFiller(dtype, source, notes)
  if (typeof source === 'object' && source !== null && Symbol.iterator in source) {
    return () => {
      const { chunks, total } = collect(
        dtype,
        source as Iterable<unknown>,
        (x, at) => convert(dtype.code, x, notes, at),
        Infinity,
      )
      return { length: total, fill: handle => setChunks(handle, 0, chunks) }
    }
  }
  return fail(
    'ARGUMENT',
    `${operation}: expected a length, an array, a typed array, an iterable or a Vector, not ${show(source)}`,
  )
}

/** Strings and null; other values become text by way of a vector of their own type. */
function textFiller(source: unknown, operation: string, store: Store): () => Filler {
  if (typeof source !== 'object' || source === null || !(Symbol.iterator in source)) {
    return fail(
      'ARGUMENT',
      `${operation}: expected a length, an array, a typed array, an iterable or a Vector, not ${show(source)}`,
    )
  }
  return () => {
    // The bits of NA among its elements are no number.
    if (source instanceof Int32Array || source instanceof Float64Array) {
      const plain = temporaryOf(store, parseType(inferType(source)), source, operation)
      const { handle: from, length } = partsOf(plain)
      return {
        length,
        fill: handle => {
          native.copyRange(handle.token, 0, from.token, 0, length)
          plain.destroy()
        },
      }
    }
    const values: readonly unknown[] = Array.isArray(source)
      ? source
      : Array.from(source as Iterable<unknown>)
    const texts = values.every(isText) ? values : textsOf(values, operation, store)
    checkTexts(texts)
    return { length: texts.length, fill: handle => writeTexts(handle, 0, texts) }
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || value === null || value === undefined
}

/** Each value as R's as.character() has it. */
function textsOf(values: readonly unknown[], operation: string, store: Store): unknown[] {
  const out = [...values]
  // Values of one type at a time: a number beside TRUE is not what it is beside a number.
  for (const kind of ['boolean', 'number', 'bigint', 'object'] as const) {
    const at = [...values.keys()].filter(i => typeof values[i] === kind && values[i] !== null)
    if (at.length === 0) continue
    const some = at.map(i => values[i])
    const dtype = parseType(kind === 'bigint' ? 'numeric' : inferType(some))
    const plain = temporaryOf(store, dtype, some, operation)
    const text = plain.as('character')
    for (const [k, s] of text.toArray().entries()) out[at[k] as number] = s
    plain.destroy()
    text.destroy()
  }
  return out
}

/** A temporary vector of these values. */
export function temporaryOf(store: Store, dtype: Dtype, source: unknown, operation: string): Vector {
  const { length, fill } = fillerOf(dtype, source, { mask: 0 }, operation, store)()
  return build(placeIn(store, {}, false), dtype, length, false, fill)
}

function typedFiller(dtype: Dtype, source: NodeJS.TypedArray, length: number, notes: Notes): Filler {
  return {
    length,
    fill: handle => {
      if (length === 0) return
      // A small copy of the same kind is cheaper here than one more native call.
      if (source instanceof dtype.array && length <= CHUNK)
        handle.lane(0, length, 0).array.set(source as never)
      else notes.mask |= native.importArray(handle.token, 0, source, false)
    },
  }
}

function arrayFiller(dtype: Dtype, source: readonly unknown[], notes: Notes): Filler {
  const { length } = source
  return {
    length,
    fill: handle => {
      for (let at = 0; at < length; at += CHUNK) {
        const count = Math.min(CHUNK, length - at)
        const lane = handle.lane(at, count, at)
        for (let k = 0; k < count; k++) lane.write(k, convert(dtype.code, source[at + k], notes, at + k))
      }
    },
  }
}
