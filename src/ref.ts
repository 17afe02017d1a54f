/**
 * References: the way from a plain object back to a vector, in another thread, another process or tomorrow. Every field is checked; a refused
 * reference leaves everything as it was: a store that had to be opened for it is closed again, nothing is created.
 */
import { KINDS, shapedAs } from './adopt.js'
import { product } from './dimensions.js'
import { KIND, knownType, LENGTH_MAX } from './dtype.js'
import { fail, isFmallocError, show } from './errors.js'
import { checkKeys, checkPath, isGiven, parseOpen, type Opening } from './options.js'
import { isList, type List } from './list.js'
import type { Matrix } from './matrix.js'
import { isFrame, type DataFrame } from './frame.js'
import { findOpen, openStore, joinStore } from './opening.js'
import { getById, type Store } from './store.js'
import { TEMPORARY_ID } from './handle.js'
import type {
  DataFrameRef,
  ListRef,
  OpenRefOptions,
  Ref,
  Schema,
  Shaped,
  Stored,
  Type,
  VectorRef,
} from './types.js'
import { isVector, partsOf, type Vector } from './vector.js'

const REF_KEYS = [
  'mode',
  'maxSize',
  'readOnly',
  'durability',
  'syncEvery',
  'unsynced',
  'lockTimeout',
  'path',
] as const

/**
 * The object a reference names. Prefers a store already open here with the same uuid; else opens the file (writable unless
 * `readOnly`; `path` if it was moved) and never creates it. Throws ARGUMENT for what is no reference, NOT_FOUND for a missing
 * file, OTHER_STORE for a file that is another store, STALE_REF for an object that is gone.
 *
 * @example
 * const v = openRef(workerData)
 */
export function openRef<T extends Type>(ref: VectorRef<T, 'matrix'>, o?: OpenRefOptions): Matrix<T>
export function openRef<T extends Type>(ref: VectorRef<T>, o?: OpenRefOptions): Vector<T>
export function openRef<C extends Schema>(ref: DataFrameRef<C>, o?: OpenRefOptions): DataFrame<C>
export function openRef(ref: ListRef, o?: OpenRefOptions): List
export function openRef(ref: unknown, o?: OpenRefOptions): unknown {
  return openAny(ref, o)
}

/** {@link openRef} for a reference of any kind. */
export function openAny(ref: unknown, o?: OpenRefOptions): Stored {
  const checked = checkRef(ref)
  const raw = checkKeys(o, REF_KEYS, 'openRef')
  const { path: _path, ...open } = raw
  const wanted = { ...parseOpen(open, 'openRef'), create: false }
  // A path that is given counts: a copied file has the same uuid.
  const given = isGiven(raw['path']) ? checkPath(raw['path']) : undefined

  const here = findOpen(checked.uuid, given)
  if (here !== undefined) return resolveIn(here, checked, raw['readOnly'])
  const store = openFor(given ?? checked.path, wanted, checked, given === undefined, raw)
  try {
    return resolveIn(store, checked, raw['readOnly'])
  } catch (e) {
    store.close()
    throw e
  }
}

function resolveIn(store: Store, ref: Ref, readOnly: unknown): Stored {
  if (store.uuid !== ref.uuid) {
    fail(
      'OTHER_STORE',
      `${store.path} is another store (uuid ${store.uuid}), not the one the reference names (${ref.uuid})`,
    )
  }
  if (isGiven(readOnly) && store.readOnly !== readOnly) {
    fail('MODE', `${store.path} is open ${store.readOnly ? 'read-only' : 'writable'} in this process`)
  }
  return resolve(store, ref)
}

/** Opens the store of a reference: the one that another thread has open, else the file. */
function openFor(
  path: string,
  open: Opening,
  ref: Ref,
  anywhere: boolean,
  given: Readonly<Record<string, unknown>>,
): Store {
  const joined = anywhere ? joinStore(ref.uuid) : undefined
  if (joined !== undefined) {
    const wrongMode = isGiven(given['mode']) && given['mode'] !== joined.mode
    const wrongAccess = isGiven(given['readOnly']) && given['readOnly'] !== joined.readOnly
    if (!wrongMode && !wrongAccess) return joined
    joined.close()
    fail(
      'MODE',
      `${joined.path} is open as a ${joined.readOnly ? 'read-only' : 'writable'} ${joined.mode} store in this process`,
    )
  }
  if (path === '') fail('STALE_REF', 'the reference names an anonymous scratch file that is gone')
  try {
    return openStore(path, open)
  } catch (e) {
    // A reference does not say the mode of its file.
    if (!isFmallocError(e, 'ERR_FMALLOC_MODE') || isGiven(given['mode']) || !ref.temporary) throw e
    return openStore(path, { ...open, mode: 'scratch' })
  }
}

function resolve(store: Store, ref: Ref): Stored {
  const found = getById(store, ref.id, ref.generation, ref.temporary)
  if (!KINDS.includes(ref.kind as Shaped) || !isVector(found)) return resolveList(found, ref)
  return resolveVector(found, ref as VectorRef)
}

function resolveList(found: Stored, ref: Ref): Stored {
  if (found.kind !== ref.kind || (isList(found) && found.length !== (ref as ListRef).length)) {
    fail('STALE_REF', `the reference says ${ref.kind}; the object is another: ${found.toString()}`, {
      kind: found.kind,
    })
  }
  if (isFrame(found)) checkFrame(found, ref as DataFrameRef)
  return found
}

function checkFrame(frame: DataFrame, ref: DataFrameRef): void {
  const now = frame.ref.schema
  const stale = (what: string): never =>
    fail('STALE_REF', `the reference says otherwise: ${frame.toString()} ${what}`, { nrow: frame.nrow })
  if (frame.nrow !== ref.nrow) stale(`has not ${ref.nrow} rows`)
  for (const name of new Set([...Object.keys(now), ...Object.keys(ref.schema)])) {
    const [is, was] = [now, ref.schema].map(schema =>
      Object.hasOwn(schema, name) ? schema[name] : undefined,
    )
    if (is !== was) stale(`has ${is ?? 'no'} column ${show(name)}, not ${was ?? 'none'}`)
  }
}

function resolveVector(vector: Vector, ref: VectorRef): Vector {
  const end = ref.start + ref.length
  if (vector.type !== ref.type || end > vector.length) {
    fail(
      'STALE_REF',
      `the reference says ${ref.type}, elements ${ref.start} to ${end}; the object is ${vector.type} of length ${vector.length}`,
      { type: vector.type, length: vector.length },
    )
  }
  const isPart = ref.length < vector.length || (ref.length === 0 && vector.dim?.join() !== ref.dim?.join())
  if (ref.kind === 'matrix' && isPart) return columnsOf(vector, ref)
  const { handle } = partsOf(vector)
  const isAll = ref.start === 0 && ref.length === vector.length
  if (ref.kind === 'vector') return isAll ? shapedAs(handle, KIND.vector) : vector.subarray(ref.start, end)
  if (vector.kind !== ref.kind || vector.dim?.join() !== ref.dim?.join()) staleShape(vector, ref)
  return shapedAs(handle, KINDS.indexOf(ref.kind))
}

/** A range of a matrix's columns. */
function columnsOf(vector: Vector, ref: VectorRef): Vector {
  const nrow = vector.dim?.[0] ?? 0
  const [rows, cols] = ref.dim as [number, number]
  if (vector.kind !== 'matrix' || nrow !== rows || (nrow > 0 && ref.start % nrow !== 0))
    staleShape(vector, ref)
  const first = nrow === 0 ? 0 : ref.start / nrow
  return (shapedAs(partsOf(vector).handle, KIND.matrix) as Vector as Matrix).columns(first, first + cols)
}

function staleShape(vector: Vector, ref: VectorRef): never {
  const now = vector.dim === null ? 'a plain vector' : `${vector.kind} [${vector.dim.join(' × ')}]`
  return fail(
    'STALE_REF',
    `the reference says ${ref.kind} [${String(ref.dim?.join(' × '))}]; the object was reshaped: ${now}`,
    {
      dim: vector.dim,
    },
  )
}

/** Checks the shape of a reference; ARGUMENT for a forged one, before anything is opened. */
export function checkRef(ref: unknown): Ref {
  if (typeof ref !== 'object' || ref === null)
    return fail('ARGUMENT', `expected a reference (vector.ref), not ${show(ref)}`)
  const r = ref as Record<string, unknown>
  require(KINDS.includes(r['kind'] as Shaped) || r['kind'] === 'list' || r['kind'] === 'dataFrame', 'kind', r)
  if (r['uuid'] === '')
    fail('UNSUPPORTED', `a plain file has no reference to open: createMmapVector(${show(r['path'])})`)
  require(typeof r['uuid'] === 'string' && /^[0-9a-f-]{32,36}$/.test(r['uuid']), 'uuid', r)
  require(typeof r['path'] === 'string' && !r['path'].includes('\0'), 'path', r)
  require(isCount(r['id'], Number.MAX_SAFE_INTEGER), 'id', r)
  require(isCount(r['generation'], Number.MAX_SAFE_INTEGER), 'generation', r)
  require(r['temporary'] === (r['id'] as number) >= TEMPORARY_ID, 'temporary', r)
  if (r['kind'] === 'dataFrame') {
    require(isCount(r['nrow'], LENGTH_MAX), 'nrow', r)
    require(isSchema(r['schema']), 'schema', r)
    return ref as DataFrameRef
  }
  require(isCount(r['length'], LENGTH_MAX), 'length', r)
  if (r['kind'] === 'list') return ref as ListRef
  require(knownType(r['type']) !== undefined, 'type', r)
  require(isCount(r['start'], LENGTH_MAX), 'start', r)
  require(r['kind'] === 'vector' ? isDimOrNull(r) : isDim(r), 'dim', r)
  return ref as VectorRef
}

function require(holds: boolean, field: string, ref: Record<string, unknown>): asserts holds {
  if (!holds) fail('ARGUMENT', `not a valid reference: ${field} is ${show(ref[field])}`, { field })
}

function isDim(ref: Record<string, unknown>): boolean {
  const { dim } = ref
  if (!Array.isArray(dim) || dim.length === 0 || (ref['kind'] === 'matrix' && dim.length !== 2)) return false
  return dim.every(e => isCount(e, LENGTH_MAX)) && product(dim as number[]) === ref['length']
}

function isDimOrNull(ref: Record<string, unknown>): boolean {
  return ref['dim'] === null || isDim(ref)
}

function isSchema(x: unknown): boolean {
  if (typeof x !== 'object' || x === null || Array.isArray(x)) return false
  return Object.values(x).every(type => knownType(type) !== undefined)
}

function isCount(x: unknown, max: number): boolean {
  return typeof x === 'number' && Number.isInteger(x) && x >= 0 && x <= max
}
