/**
 * The List class: objects of one store in order, perhaps named. Cells are read and set by a native call each. It may touch handles and
 * facades, never elements.
 */
import { inspect } from 'node:util'
import { shapedNow } from './adopt.js'
import { convertTo, elementAt, select, STYLE } from './brackets.js'
import { CREATE_KEYS, discard, placeIn, type Place } from './create.js'
import { checkLength, KIND } from './dtype.js'
import { fail, show } from './errors.js'
import { facadeOf, handleOf } from './facade.js'
import { Handle, TEMPORARY_ID, type State } from './handle.js'
import { inspectList, summarizeObject } from './inspect-objects.js'
import { applyExtras, checkNames, NAMES, partOf, type Labels } from './labels.js'
import { destroyObject, keepObject } from './life.js'
import { native } from './native.js'
import { checkFlag, checkKeys, isGiven } from './options.js'
import { isRIndex } from './scalar.js'
import { spaceOf, type Store } from './store.js'
import type { Canon, ElementIndex, Index, ListRef, ResultOptions, Stored, Type, TypeName } from './types.js'
import type { Vector } from './vector.js'

/** Cells of the longest list: they are given, and kept while it is a temporary, in memory. */
const LENGTH_MAX = 2 ** 27
/** Objects of the longest toJSON. */
const JSON_MAX = 1e6

/** Makes the facade object of a list's handle. */
export let makeList: (handle: Handle) => List
/** What stands behind a list. */
export let listHandle: (list: List) => Handle
/** Whether `x` is a List of this package. Never throws. */
export let isList: (x: unknown) => x is List

/**
 * Vectors, lists and data frames of one store, in order, each as often as one likes and to any depth. What a list holds cannot be
 * destroyed; writing to what was taken out writes to the object itself. Not made by `new`: see `store.list`.
 *
 * @example
 * const l = store.list({ age, model: null }, { name: 'study' })
 * l.get('age') === age   // true
 */
export class List implements Iterable<Stored | null> {
  /** As in Vector: makes structuredClone and postMessage throw. */
  protected readonly uncloneable: symbol = Symbol(
    'a rfmalloc List cannot be cloned or posted: send list.ref and openRef() it',
  )
  readonly #handle: Handle

  /** Internal. */
  private constructor(handle: Handle) {
    if (!(handle instanceof Handle)) fail('ARGUMENT', 'a List is not made by new: use store.list(items)')
    this.#handle = handle
  }

  static {
    makeList = handle => new List(handle)
    listHandle = list => list.#handle
    isList = (x): x is List => typeof x === 'object' && x !== null && #handle in x
  }

  // ---- identity; none of these throws, also on a dead handle

  /** 'list'. */
  get kind(): 'list' {
    return 'list'
  }
  /** 'list', as R's typeof. */
  get type(): 'list' {
    return 'list'
  }
  /** Cells, empty ones included. */
  get length(): number {
    return this.#handle.length
  }
  /** Name in the store; not R's names(). */
  get name(): string | null {
    return this.#handle.name
  }
  /** R's names(). */
  get names(): Vector<'character'> | null {
    return partOf(this.#handle, NAMES, 0, this.#handle.length)
  }
  /** The store it is in. */
  get store(): Store {
    return this.#handle.store as Store
  }
  /** 'committed', 'temporary', 'destroyed' or 'closed'. */
  get state(): State {
    return this.#handle.state()
  }

  /** The list's plain name: frozen, clonable, JSON-safe. Reading it changes nothing. */
  get ref(): ListRef {
    const { space } = this.#handle
    const { id, generation } = this.#handle.identity()
    return Object.freeze({
      uuid: space.uuid,
      path: space.path,
      id,
      generation,
      temporary: id >= TEMPORARY_ID,
      kind: 'list',
      length: this.length,
    })
  }

  // ---- cells

  /**
   * What cell `i` holds, by position, name (the first that fits) or R's subscript: the same object each time while it lives; null for nothing. Throws
   * OUT_OF_BOUNDS for a position or name that is not there, STALE_REF where a crash took the object that was there.
   */
  get(i: ElementIndex): Stored | null {
    this.#handle.check()
    return this.#cell(this.#position(i))
  }

  /** Like Array.at: -1 is the last cell; undefined outside. */
  at(i: number): Stored | null | undefined {
    this.#handle.check()
    if (typeof i !== 'number' || !Number.isInteger(i))
      fail('SUBSCRIPT', `at: the index must be a whole number, not ${show(i)}`)
    const at = i < 0 ? this.length + i : i
    return at >= 0 && at < this.length ? this.#cell(at) : undefined
  }

  /**
   * Puts an object of the same store into cell `i`, or null for nothing; what was there is held once less. A temporary is committed with the
   * list. Never shortens. Throws OTHER_STORE, ARGUMENT (a subarray: copy() it first; plain values: make a vector of them), CYCLE (the list
   * would hold itself).
   */
  set(i: number | string, value: Stored | null): this {
    this.#handle.checkChangeable()
    const at = this.#position(i)
    native.listSet(this.#handle.token, at, cellToken(this.#handle.space, value, 'set'))
    return this
  }

  /** R's `l[index]`: a list of the same objects with their names, a temporary unless named or kept; null beyond the end. Throws SUBSCRIPT. */
  select(index: Index | undefined, o?: ResultOptions): List {
    return select(this, [index], STYLE.zero, true, o, 'select')
  }

  /** R's `l[-index]`: all cells but these. Throws SUBSCRIPT. */
  exclude(index: Index, o?: ResultOptions): List {
    return select(this, [index], STYLE.except, true, o, 'exclude')
  }

  /** R's as.integer and so on: a vector of what must be single values; a temporary unless named or kept. Warns as R does. Throws TYPE. */
  as<A extends Exclude<TypeName, 'list'>>(type: A, o?: ResultOptions): Vector<Canon<A>> {
    return convertTo(this, type, o) as Vector<Type> as Vector<Canon<A>>
  }

  #cell(at: number): Stored | null {
    const found = native.listGet(this.#handle.token, at) ?? undefined
    if (found === undefined) return null
    return found === 1
      ? facadeOf(new Handle(this.#handle.space, this.#handle.store, null))
      : shapedNow(found as Stored)
  }

  #position(i: unknown): number {
    if (typeof i === 'string') return this.#named(i)
    if (isRIndex(i)) return elementAt(this, [i], 'get')
    if (typeof i !== 'number' || !Number.isInteger(i))
      return fail('SUBSCRIPT', `an index must be a whole number or a name, not ${show(i)}`)
    if (i >= 0 && i < this.length) return i
    const hint = i < 0 ? '; negative indices count from the end only in at()' : ''
    return fail('OUT_OF_BOUNDS', `subscript out of bounds: ${i} is not in 0..${this.length - 1}${hint}`, {
      index: i,
      length: this.length,
    })
  }

  #named(name: string): number {
    const { names } = this
    for (let i = 0; names !== null && i < names.length; i++) if (names.get(i) === name) return i
    return fail('OUT_OF_BOUNDS', `subscript out of bounds: no element is named ${show(name)}`, { name })
  }

  /** Lazy; throws when the list dies meanwhile. */
  *[Symbol.iterator](): IterableIterator<Stored | null> {
    for (let i = 0; i < this.length; i++) yield this.get(i)
  }

  // ---- out of the store

  /**
   * The values of everything in it: an object with the names as keys where every cell has one of its own, else an array. Throws TOO_LARGE
   * above 1e6 cells, or as `toJSON` of what it holds does.
   */
  toJSON(): unknown {
    this.#handle.check()
    if (this.length > JSON_MAX) {
      fail('TOO_LARGE', `toJSON: ${this.length} objects are more than 1e6; send ref`, { length: this.length })
    }
    const values = Array.from(this, item => item?.toJSON() ?? null)
    const names = this.names?.toArray() ?? []
    if (names.length === 0 || names.includes(null) || new Set(names).size < names.length) return values
    const out = Object.create(null) as Record<string, unknown>
    for (let i = 0; i < values.length; i++) out[names[i] as string] = values[i]
    return out
  }

  /** The one-line summary, never the data. */
  toString(): string {
    return summarizeObject(this)
  }

  /** Text where text is wanted; otherwise throws OPERATOR, since JavaScript operators cannot work here. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return summarizeObject(this)
    return fail('OPERATOR', 'JavaScript operators do not work on lists: use l.get(0)')
  }

  /** What Node prints: a summary, never the data. */
  [inspect.custom](): string {
    return inspectList(this)
  }

  // ---- life

  /** Commits a temporary with everything it holds, or names what is committed. Throws EXISTS for a taken name without `replace`. */
  keep(name?: string, o?: { replace?: boolean }): this {
    keepObject(this.#handle, name, o)
    return this
  }

  /**
   * Ends the list in every thread; what it held stays and is held once less. False if it was destroyed already. `unsafe` only skips the wait
   * for a sync before the space is used again. Throws BUSY while another list holds it.
   */
  destroy(o?: { unsafe?: boolean }): boolean {
    return destroyObject(
      this.#handle,
      checkFlag(checkKeys(o, ['unsafe'], 'destroy')['unsafe'], false, 'unsafe'),
    )
  }
}

/** The token of what goes into a cell of a list of this space; -1 for null. */
export function cellToken(space: Handle['space'], value: unknown, operation: string): number {
  if (value === null) return -1
  if (value === undefined)
    return fail('VALUE', `${operation}: undefined is nothing a list can hold: write null for an empty cell`)
  const handle = handleOf(value, operation)
  handle.check()
  if (handle.store === null || handle.space.users !== space.users) {
    fail(
      'OTHER_STORE',
      `${operation}: ${handle.label()} belongs to ${handle.space.path || 'another store'}; copy it into this one first`,
    )
  }
  return handle.token
}

/** The facade of a list or frame that the binding has just made, committed where the place says so. `finish` runs in between. */
export function adoptMade<S extends Stored>(place: Place, finish?: (handle: Handle) => void): S {
  const space = spaceOf(place.store)
  const handle = new Handle(space, place.store, null)
  try {
    finish?.(handle)
    const object = facadeOf(handle) as S
    if (place.commit) handle.commit(place.name, place.replace)
    else space.scopes.at(-1)?.note(handle)
    return object
  } catch (e) {
    discard(handle)
    throw e
  }
}

/** As {@link adoptMade}, with the commit off the event loop. */
export async function adoptMadeAsync<S extends Stored>(place: Place): Promise<S> {
  const { commit, store, name, replace } = place
  if (!commit) return adoptMade(place)
  const handle = new Handle(spaceOf(store), store, null)
  try {
    const object = facadeOf(handle) as S
    await handle.commitAsync(name, replace)
    return object
  } catch (e) {
    discard(handle)
    throw e
  }
}

/** A committed list of a length (empty cells), of objects, or of named objects. */
export function createList(store: Store, items: unknown, options: unknown, operation: string): List {
  const raw = checkKeys(options, CREATE_KEYS, operation)
  checkFlag(raw['zeroInitialize'], true, 'zeroInitialize')
  const { values, keys } = cellsOf(items, operation)
  if (keys !== null && isGiven(raw['names']))
    fail('ARGUMENT', `${operation}: the keys are the names; give names beside an array or a length`)
  const names = checkNames(keys ?? raw['names'], values.length, spaceOf(store), operation)
  return buildList(placeIn(store, raw, true), values, names, operation)
}

/** A list of objects where the place says. */
export function buildList(
  place: Place,
  values: readonly unknown[],
  names: Labels | null,
  operation: string,
): List {
  const space = spaceOf(place.store)
  const tokens = Int32Array.from(values, value => cellToken(space, value, operation))
  native.list(space.handle, KIND.list, tokens)
  return adoptMade<List>(
    place,
    names === null ? undefined : handle => applyExtras(handle, place.store, { names }),
  )
}

function cellsOf(items: unknown, operation: string): { values: unknown[]; keys: string[] | null } {
  if (typeof items === 'number') {
    const length = checkLength(items)
    if (length > LENGTH_MAX) fail('TOO_LARGE', `${operation}: a list has at most 2^27 cells, not ${length}`)
    return { values: new Array(length).fill(null), keys: null }
  }
  // Array.from makes holes undefined, which are refused.
  if (Array.isArray(items)) return { values: Array.from(items), keys: null }
  if (isPlainObject(items)) return { values: Object.values(items), keys: Object.keys(items) }
  return fail(
    'ARGUMENT',
    `${operation}: expected a length, an array or an object of vectors, lists and data frames, not ${show(items)}`,
  )
}

function isPlainObject(x: unknown): x is Record<string, unknown> {
  if (typeof x !== 'object' || x === null) return false
  const proto: unknown = Object.getPrototypeOf(x)
  return proto === null || proto === Object.prototype
}
