/**
 * The R-named layer: R's positions, one line each onto the classes, with R's order of checks. An options object may stand at the first optional
 * position.
 */
import { createShaped, createVector } from './create.js'
import { checkDim, checkFits, matrixDim } from './dimensions.js'
import { checkLength, KIND, parseType } from './dtype.js'
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { getDefault, requireDefault, setDefault } from './home.js'
import { createList, isList, listHandle, type List } from './list.js'
import { native } from './native.js'
import { checkFlag, checkKeys, checkPath, isGiven, parseOpen } from './options.js'
import { fillConverted, setConverted } from './assign.js'
import { copyShaped, reshaped } from './attributes.js'
import type { Matrix } from './matrix.js'
import type { NdArray } from './ndarray.js'
import { isFrame, type DataFrame } from './frame.js'
import { createSeedFrame, renamedFrame, type ColumnInput } from './frames.js'
import { openStore } from './opening.js'
import { drainStore, isStore, runtimeInfo, spaceOf, type Store } from './store.js'
import type {
  AllocationRecord,
  Canon,
  Diagnosis,
  Dimnames,
  FixedType,
  Index,
  Mode,
  OpenOptions,
  Operand,
  RType,
  RuntimeInfo,
  Type,
  TypeName,
} from './types.js'
import { isVector, isWhole, partsOf, type Vector } from './vector.js'
import { warn } from './warnings.js'

/** undefined: R's default 'integer'; a computed string gives Vector<Type>. */
export type Kind = TypeName | (string & {}) | undefined
export type Typed<A> = A extends undefined ? 'integer' : Canon<A>
export type VectorOf<A> = A extends 'list' ? List : Vector<Typed<A>>
/** runtime omitted or null: the thread's default. */
export interface Rt {
  runtime?: Store | null
  zeroInitialize?: boolean
}
export type RtDim = Rt & { dimnames?: Dimnames }
export interface FrameOptions {
  rowNames?: readonly string[]
  checkNames?: boolean
  stringsAsFactors?: false
  runtime?: Store
}
export interface AsOptions {
  nrow?: number
  ncol?: number
  dim?: readonly number[]
  dimnames?: Dimnames
  copy?: boolean
}

// ---- runtimes

/**
 * Opens a store, creating the file if there is none. The same file opened again shares the mapping. Throws MODE, LOCKED (another
 * process), NOT_FOUND, NOT_A_STORE, CORRUPT, TRUNCATED, VERSION; a refused file stays as it was.
 *
 * @example
 * const store = openFmalloc('cohort.fm')
 * const reader = openFmalloc('other.fm', { readOnly: true })
 */
export function openFmalloc(filepath: string | URL, sizeGb?: number | OpenOptions, mode?: Mode): Store {
  return openStore(checkPath(filepath), parseOpen(openOptions(sizeGb, mode), 'openFmalloc'))
}

function openOptions(sizeGb: unknown, mode: unknown): OpenOptions {
  if (typeof sizeGb !== 'object' || sizeGb === null) {
    return {
      ...(isGiven(sizeGb) && { sizeGb: sizeGb as number }),
      ...(isGiven(mode) && { mode: mode as Mode }),
    }
  }
  const options = sizeGb as OpenOptions
  if (!isGiven(mode)) return options
  if (isGiven(options.mode) && options.mode !== mode) {
    fail('ARGUMENT', `mode is given twice: ${show(options.mode)} and ${show(mode)}`)
  }
  return { ...options, mode: mode as Mode }
}

/** Opens a store and makes it the thread's default; whether the file was newly initialised. An earlier default is cleaned up, with a warning. */
export function initFmalloc(filepath: string | URL, sizeGb?: number | OpenOptions, mode?: Mode): boolean {
  const before = getDefault()
  const store = openStore(checkPath(filepath), parseOpen(openOptions(sizeGb, mode), 'initFmalloc'))
  setDefault(store)
  if (before !== null) {
    warn(
      'already-initialized',
      'fmalloc already initialized; cleaning up the previous default runtime',
      'initFmalloc',
    )
    drainStore(before)
  }
  return store.created
}

/** R's rule: no new vectors; mapping and lock stay until the last vector is collected. Nothing to clean up is no error. */
export function cleanupFmalloc(runtime?: Store | null): void {
  const store = isGiven(runtime) ? checkStore(runtime) : getDefault()
  if (store === null) return
  if (store === getDefault()) setDefault(null)
  drainStore(store)
}

/** The thread's default store, or null. */
export function fmallocDefaultRuntime(): Store | null {
  return getDefault()
}

/** Whether `x` is a store. Never throws. */
export function isFmallocRuntime(x: unknown): x is Store {
  return isStore(x)
}

/** Whether `x` is a file-backed vector or list. Never throws. */
export function isFmallocVector(x: unknown): x is Vector | List {
  return isVector(x) || isList(x)
}

function checkStore(runtime: unknown): Store {
  return isStore(runtime)
    ? runtime
    : fail('ARGUMENT', `runtime must be a store from openFmalloc, not ${show(runtime)}`)
}

function storeOf(runtime: unknown): Store {
  return isGiven(runtime) ? checkStore(runtime) : requireDefault()
}

function vectorOf(x: unknown, operation: string): Vector {
  return isVector(x) ? x : fail('ARGUMENT', `${operation}: expected a file-backed vector, not ${show(x)}`)
}

/** What stands behind a vector (or the vector of a subarray) or list. */
function handleBehind(x: unknown, operation: string): Handle {
  if (isList(x)) return listHandle(x)
  if (isVector(x)) return partsOf(x).handle
  return fail('ARGUMENT', `${operation}: expected a file-backed vector or list, not ${show(x)}`)
}

// ---- vectors

/** A committed, unnamed vector of zeros, or list of empty cells. Arguments are checked before the runtime. */
export function createFmallocVector<A extends Kind>(
  type: A,
  length: number,
  runtime?: Store | Rt | null,
  zeroInitialize?: boolean,
): VectorOf<A> {
  const ofCells = typeof type === 'string' && type.toLowerCase() === 'list'
  const dtype = ofCells ? undefined : parseType(type === undefined ? 'integer' : type)
  const count = checkLength(length)
  const options: Rt = isStore(runtime) ? { runtime } : isGiven(runtime) ? runtimeOptions(runtime) : {}
  const zero = checkFlag(
    zeroInitialize === undefined ? options.zeroInitialize : zeroInitialize,
    true,
    'zeroInitialize',
  )
  const store = storeOf(options.runtime)
  const made =
    dtype === undefined
      ? createList(store, count, {}, 'createFmallocVector')
      : createVector(store, dtype, count, { zeroInitialize: zero }, 'createFmallocVector')
  return made as VectorOf<A>
}

function runtimeOptions(x: unknown): Rt {
  if (typeof x !== 'object') checkStore(x)
  return checkKeys(x, ['runtime', 'zeroInitialize'], 'createFmallocVector') as Rt
}

/** True when a live vector was destroyed, false when it was already. */
export function destroyFmallocVector(x: Vector | List, unsafe?: boolean): boolean {
  handleBehind(x, 'destroyFmallocVector')
  return x.destroy({ unsafe: checkFlag(unsafe, false, 'unsafe') })
}

/** The store a vector or list belongs to. Throws ARGUMENT for one without. */
export function fmallocRuntime(x: Vector | List): Store {
  return (
    handleBehind(x, 'fmallocRuntime').store ??
    fail('ARGUMENT', 'fmallocRuntime: a plain file belongs to no runtime')
  )
}

/** R's name of the element type; 'list' for a list. */
export function fmallocVectorType(x: Vector | List): RType | 'list' {
  handleBehind(x, 'fmallocVectorType')
  return x.type as RType | 'list'
}

/** Elements of a vector, cells of a list. */
export function fmallocVectorLength(x: Vector | List): number {
  handleBehind(x, 'fmallocVectorLength')
  return x.length
}

/** R's fields, in camel case. Offsets and sizes in bytes; `parentRefs` counts the cells of lists and data frames that hold it. */
export function fmallocVectorInfo(
  x: Vector | List,
): Readonly<Record<string, string | number | boolean | null>> {
  const handle = handleBehind(x, 'fmallocVectorInfo')
  const { width } = handle.dtype
  const start = isVector(x) ? partsOf(x).start : 0
  handle.check()
  const now = native.describe(handle.token)
  return Object.freeze({
    type: x.type,
    sexptype: handle.dtype.sexptype,
    length: x.length,
    payloadNbytes: x.length * width,
    payloadOffset: now.payloadOffset + start * width,
    catalogOffset: now.catalogOffset,
    generation: now.generation,
    runtimeUuid: handle.store?.uuid ?? null,
    runtimeMode: handle.store?.mode ?? null,
    runtimeFilepath: handle.space.path,
    runtimeOpen: handle.space.open,
    parentRefs: handle.store === null ? 0 : native.parents(handle.token),
    dataptrExposed: now.dataptrExposed,
    maybeDirty: now.maybeDirty,
    recoverable: now.recoverable,
  })
}

// ---- matrices and arrays

const SHAPED_OPTIONS = ['dimnames', 'runtime', 'zeroInitialize']

/** What may stand at the place of the dimnames. */
function shapedOptions(
  dimnames: unknown,
  runtime: unknown,
  zeroInitialize: unknown,
  operation: string,
): Readonly<Record<string, unknown>> {
  const given = isGiven(dimnames) && !Array.isArray(dimnames)
  const options = given ? checkKeys(dimnames, SHAPED_OPTIONS, operation) : { dimnames: dimnames ?? undefined }
  return {
    dimnames: options['dimnames'],
    runtime: isGiven(runtime) ? runtime : options['runtime'],
    zeroInitialize: checkFlag(
      isGiven(zeroInitialize) ? zeroInitialize : options['zeroInitialize'],
      true,
      'zeroInitialize',
    ),
  }
}

/** The store; the other options as the constructors take them. */
function placeOptions(o: Readonly<Record<string, unknown>>): [Store, object] {
  const dimnames = o['dimnames']
  const options = { zeroInitialize: o['zeroInitialize'], ...(isGiven(dimnames) && { dimnames }) }
  return [storeOf(o['runtime']), options]
}

/**
 * A committed, unnamed matrix of zeros, column-major. Arguments are checked before the runtime: DIM for bad extents and dimnames, ARGUMENT for a
 * missing one.
 */
export function createFmallocMatrix<A extends Kind>(
  type: A,
  nrow: number,
  ncol: number,
  dimnames?: Dimnames | RtDim | null,
  runtime?: Store | null,
  zeroInitialize?: boolean,
): Matrix<Typed<A>> {
  const operation = 'createFmallocMatrix'
  const dtype = parseType(type === undefined ? 'integer' : type)
  const dim = checkDim([checkLength(nrow, 'nrow'), checkLength(ncol, 'ncol')], operation, ['nrow', 'ncol'])
  const [store, options] = placeOptions(shapedOptions(dimnames, runtime, zeroInitialize, operation))
  return createShaped(store, dtype, KIND.matrix, dim, options, operation) as Vector<Type> as Matrix<Typed<A>>
}

/** A committed, unnamed array of zeros, column-major; one extent or two make an array too. Throws DIM for bad extents and dimnames. */
export function createFmallocArray<A extends Kind>(
  type: A,
  dim: number | readonly number[],
  dimnames?: Dimnames | RtDim | null,
  runtime?: Store | null,
  zeroInitialize?: boolean,
): NdArray<Typed<A>> {
  const operation = 'createFmallocArray'
  const dtype = parseType(type === undefined ? 'integer' : type)
  const extents = checkDim(typeof dim === 'number' ? [dim] : dim, operation)
  const [store, options] = placeOptions(shapedOptions(dimnames, runtime, zeroInitialize, operation))
  return createShaped(store, dtype, KIND.array, extents, options, operation) as Vector<Type> as NdArray<
    Typed<A>
  >
}

const AS_OPTIONS = ['nrow', 'ncol', 'dim', 'dimnames', 'copy']

/** The arguments of the two functions below: an options object may stand in the second place. */
function asArguments(first: unknown, key: 'nrow' | 'dim', rest: object, operation: string): AsOptions {
  const isObject =
    typeof first === 'object' && first !== null && !Array.isArray(first) && !ArrayBuffer.isView(first)
  if (isObject) return checkKeys(first, AS_OPTIONS, operation) as AsOptions
  return { ...rest, ...(isGiven(first) && { [key]: first }) } as AsOptions
}

/**
 * A matrix of x's elements: `length` by 1 without extents, the other extent computed from one. A committed copy in x's store (or the
 * default, if that is read-only), or with `copy: false` the same object reshaped, which every handle sees. Throws DIM where the extents do not give
 * the length.
 */
export function asFmallocMatrix<T extends Type>(
  x: Vector<T>,
  nrow?: number | AsOptions | null,
  ncol?: number | null,
  dimnames?: Dimnames | null,
  copy?: boolean,
): Matrix<T> {
  const operation = 'asFmallocMatrix'
  const v = vectorOf(x, operation)
  const o = asArguments(nrow, 'nrow', { ncol, dimnames, copy }, operation)
  if (isGiven(o.dim)) fail('ARGUMENT', `${operation}: give nrow and ncol, not dim`)
  const dim = matrixDim(v.length, o.nrow, o.ncol, operation)
  return asShaped(v, KIND.matrix, dim, o, operation) as Vector<Type> as Matrix<T>
}

/** An array of x's elements, of one extent if no `dim` is given; see {@link asFmallocMatrix}. */
export function asFmallocArray<T extends Type>(
  x: Vector<T>,
  dim?: readonly number[] | AsOptions | null,
  dimnames?: Dimnames | null,
  copy?: boolean,
): NdArray<T> {
  const operation = 'asFmallocArray'
  const v = vectorOf(x, operation)
  const o = asArguments(dim, 'dim', { dimnames, copy }, operation)
  if (isGiven(o.nrow) || isGiven(o.ncol)) fail('ARGUMENT', `${operation}: give dim, not nrow and ncol`)
  const extents = checkDim(o.dim ?? [v.length], operation)
  checkFits(extents, v.length)
  return asShaped(v, KIND.array, extents, o, operation) as Vector<Type> as NdArray<T>
}

function asShaped(v: Vector, kind: number, dim: readonly number[], o: AsOptions, operation: string): Vector {
  if (checkFlag(o.copy, true, 'copy')) return copyShaped(v, kind, dim, o.dimnames, operation)
  if (!isWhole(v))
    fail(
      'ARGUMENT',
      `${operation}: a subarray shares its vector's elements and cannot be reshaped alone: use copy: true`,
    )
  return reshaped(v, kind, dim, o.dimnames, operation)
}

// ---- in place

/** Writes in place, 0-based, values converted as R does; all positions are checked first. Text is refused. Returns x. */
export function fmallocSet<V extends Vector<FixedType>>(x: V, i: Index, value: Operand): V {
  setConverted(vectorOf(x, 'fmallocSet'), i, value)
  return x
}

/** Fills in place with one value, converted as R does. Returns x. */
export function fmallocFill<V extends Vector<FixedType>>(x: V, value: Operand): V {
  fillConverted(vectorOf(x, 'fmallocFill'), value)
  return x
}

const ADVICE: readonly unknown[] = ['sequential', 'willneed', 'dontneed']

/** Advice for payload bytes [offset, offset + nbytes); null is up to the end. Never changes data. */
export function fmallocStorageAdvise(
  x: Vector<FixedType>,
  advice: 'sequential' | 'willneed' | 'dontneed',
  offset: number = 0,
  nbytes?: number | null,
): void {
  const v = vectorOf(x, 'fmallocStorageAdvise')
  if (!ADVICE.includes(advice)) fail('ARGUMENT', `advice must be ${ADVICE.join(', ')}, not ${show(advice)}`)
  const from = checkLength(offset, 'offset')
  const count = isGiven(nbytes) ? checkLength(nbytes, 'nbytes') : Math.max(0, v.nbytes - from)
  const { handle, start } = partsOf(v)
  handle.check()
  if (from + count > v.nbytes) {
    fail('OUT_OF_BOUNDS', `bytes ${from} to ${from + count} are not within the payload of ${v.nbytes} bytes`)
  }
  const base = start * handle.dtype.width
  if (count > 0) native.advise(handle.token, base + from, base + from + count, advice)
}

// ---- the whole store

/** The durability barrier; `wait: false` only starts writing back. Returns mapped bytes. */
export function fmallocSync(runtime?: Store | null, wait?: boolean): number {
  const blocking = checkFlag(wait, true, 'wait')
  const store = storeOf(runtime)
  spaceOf(store).checkAccepting()
  const { handle } = spaceOf(store)
  if (store.readOnly) return native.storeInfo(handle).mappedBytes
  if (blocking) return native.storeSyncNow(handle)
  native.storeFlush(handle)
  return native.storeInfo(handle).mappedBytes
}

/** One row per record, newest first. */
export function listFmallocAllocations(runtime?: Store | null): AllocationRecord[] {
  return storeOf(runtime).allocations()
}

/** Runtime, catalog and summary. */
export function diagnoseFmallocRuntime(runtime?: Store | null): Diagnosis {
  return storeOf(runtime).diagnose()
}

/** The runtime part of a diagnosis. */
export function fmallocRuntimeInfo(runtime?: Store | null): RuntimeInfo {
  return runtimeInfo(storeOf(runtime))
}

// ---- data frames

/**
 * A committed data frame of named columns, or of columns that are called V1, V2 and so on. `checkNames` (true) makes the names syntactic and
 * each its own, as R does: 'a b' becomes 'a.b', the next such name 'a.b.1'.
 */
export function createFmallocDataFrame(
  columns: Readonly<Record<string, ColumnInput>> | readonly ColumnInput[],
  options?: FrameOptions,
): DataFrame {
  return seedFrame(columns, options, 'createFmallocDataFrame')
}

/** The same; a data frame whose names are as wanted is given back as it is, else one that shares its columns is made. */
export function asFmallocDataFrame(
  columns: Readonly<Record<string, ColumnInput>> | readonly ColumnInput[] | DataFrame,
  options?: FrameOptions,
): DataFrame {
  return seedFrame(columns, options, 'asFmallocDataFrame')
}

const FRAME_KEYS = ['rowNames', 'checkNames', 'stringsAsFactors', 'runtime'] as const

function seedFrame(columns: unknown, options: FrameOptions | undefined, operation: string): DataFrame {
  const raw = checkKeys(options, FRAME_KEYS, operation)
  if (isFrame(columns)) {
    const store = isGiven(raw['runtime']) ? checkStore(raw['runtime']) : columns.store
    return renamedFrame(store, columns, raw, operation)
  }
  return createSeedFrame(storeOf(raw['runtime']), columns, raw, operation)
}
