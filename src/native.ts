/**
 * The only import of the addon. Declares the binding's contract, loads it with an error that says what to do, and wraps every function so
 * that its errors become FmallocError. Numbers, strings and typed arrays cross here; no semantics.
 *
 * A *token* is a small integer naming an object this thread holds; a *store handle* names an open store of this thread. Functions marked
 * [facts] write their answer into the mailbox `facts` instead of building an object: creating a small vector must stay under 3 µs.
 */
import { createRequire } from 'node:module'
import { FmallocError, fromNative } from './errors.js'
import { loadFailure, thisHost } from './load-failure.js'
import type { AllocationRecord, Mode, Progress, VerifyReport } from './types.js'

/** Positions in the mailbox. */
export const FACT = {
  token: 0,
  off: 1,
  nbytes: 2,
  cell: 3,
  cellValue: 4,
  type: 5,
  length: 6,
  id: 7,
  generation: 8,
  state: 9,
  pressure: 10,
  kind: 11,
  sealed: 12,
  /** Of createMmapVector only; a store's stand in {@link StoreFacts}. */
  lossCell: 13,
  lossValue: 14,
  /** There may be something for attributesOf. */
  attributes: 15,
} as const

export interface StoreFacts {
  handle: number
  path: string
  uuid: string
  mode: Mode
  readOnly: boolean
  created: boolean
  capacity: number | null
  maxSize: number
  /** Objects that the first change will drop for good after a machine crash. */
  discarding: number
  /** The cell that changes when bytes of the file are lost, and its value until then. */
  lossCell: number
  lossValue: number
}

export interface NativeOpen {
  mode?: Mode
  capacity?: number
  maxSize?: number
  readOnly?: boolean
  create?: boolean
  /** Milliseconds; -1 is off. */
  syncEvery?: number
  /** unsynced: 'keep'. */
  keepUnsynced?: boolean
  /** durability: 'full'. */
  full?: boolean
}

export interface NativeInfo {
  filepath: string
  uuid: string
  mode: Mode
  mappedBytes: number
  closeRequested: boolean
  liveVectors: number
  externalRefs: number
  catalogHeadOffset: number
  catalogCount: number
  catalogEpoch: number
  runtimeOpen: boolean
  nbytes: number
  maxSize: number
}

export interface NativeDescription {
  catalogOffset: number
  payloadOffset: number
  generation: number
  id: number
  recoverable: boolean
  dataptrExposed: boolean
  maybeDirty: boolean
}

/** An object's attributes as they are. */
export interface NativeAttributes {
  /** 0 vector, 1 matrix, 2 array, 3 list, 4 frame. */
  readonly kind: number
  readonly dim: readonly number[] | null
  readonly names: boolean
  readonly dimnames: readonly boolean[] | null
  /** Of a frame. */
  readonly rows: number | null
  readonly rowNames: boolean
  /** Key and JSON text. */
  readonly user: readonly (readonly [string, string])[]
}

/** Changes of attributes; a token names a temporary that becomes a part, -1 means none, absent means as it is. */
export interface NativeChanges {
  /** 1 matrix, 2 array; beside `dim`. */
  class?: number
  /** Empty: a plain vector. */
  dim?: number[]
  names?: number
  dimnames?: number[]
  rows?: number
  rowNames?: number
  /** Key, and JSON text unless the attribute goes. */
  user?: string[][]
}

/** An index; `what`: 0 everything, 1 nothing, 2 numbers, 3 a mask (32 bits each), 4 names, 5 a vector. */
export interface NativeIndex {
  what: number
  /** 0 positions from 0, 1 R's, 2 what is left out. */
  style: number
  numbers?: Float64Array | Int32Array
  names?: (string | null)[]
  token?: number
}

/** Many texts in one piece. */
export interface NativeTexts {
  /** UTF-8, one after the other. */
  bytes: Uint8Array
  /** Bytes of each; -1: there is none. */
  lengths: Int32Array
}

/** Objects in the order of creation, in long arrays. */
export interface NativeListing {
  names: NativeTexts
  ids: Float64Array
  generations: Float64Array
  kinds: Uint8Array
  /** 0: damaged. */
  typeCodes: Uint8Array
  lengths: Float64Array
  nbytes: Float64Array
  /** Objects that have extents, rising. */
  dimRows: Uint32Array
  /** Theirs as "2x3", with commas between objects. */
  dims: string
}

/** Every byte of the file, in order. */
export interface NativeLayout {
  names: string[]
  offsets: Float64Array
  nbytes: Float64Array
  /** Positions in `names`. */
  uses: Uint8Array
  /** -1: no object. */
  ids: Float64Array
}

/** What watches and stops work on another thread; opaque. */
export interface Control {
  readonly control: unique symbol
}

/** Bytes. */
export interface NativeCompaction {
  moved: number
  freed: number
  stopped: boolean
}

/** Strings read from a vector. */
export interface NativeText {
  count: number
  /** Separated by NUL; or, with `lengths`, one after the other. */
  text: string
  /** Positions of missing strings. */
  na: Uint32Array
  lengths?: Int32Array | null
}

/** Columns on their way from the thread that reads them; opaque. */
export interface CsvParcel {
  readonly parcel: unique symbol
}

/** An array on its way from the thread that reads it; opaque. */
export interface NpyParcel {
  readonly array: unique symbol
}

/** How a CSV file is read; a type code of -1 leaves the column out. */
export interface NativeCsvOptions {
  delimiter: string
  quote?: string
  header: boolean
  names?: string[]
  checkNames: boolean
  typeNames: string[]
  typeCodes: number[]
  na: string[]
  skip: number
}

/** How a CSV file is written. */
export interface NativeCsvStyle {
  delimiter: string
  quote: string
  quoteAll: boolean
  header: boolean
  rowNames: boolean
  na: string
  crlf: boolean
  bom: boolean
  replace: boolean
}

/** What was read; of a column `row` is -1 unless `text` says why it is text. */
export interface NativeCsvReport {
  rows: number
  nbytes: number
  columns: {
    name: string
    type: 'logical' | 'integer' | 'numeric' | 'complex' | 'character'
    nas: number
    row: number
    line: number
    text: string
  }[]
}

/** A vector that was made off the event loop. */
export interface NativeMade {
  /** For `refresh`, which puts its facts into the mailbox. */
  token: number
  warnings: number
  /** The store asks for a collection. */
  pressure: boolean
}

/** What a summary gives; null is NA, and a complex number is two values. */
export interface NativeSummary {
  type: number
  values: (number | string | null)[]
  warnings: number
}

/** The binding. */
export interface Native {
  factsBuffer(): ArrayBuffer
  /** A page written here and read there: the elements of a small vector. */
  stagingBuffer(): ArrayBuffer
  /** Liveness cells of all objects, 65 536 int32 a chunk; private to the facade. */
  cells(chunk: number): ArrayBuffer

  storeOpen(path: string, o: NativeOpen): StoreFacts
  storeAnonymous(dir: string): StoreFacts
  /** A new handle on the store with this uuid that some thread of the process has open; opens no file. */
  storeByUuid(uuid: string): StoreFacts | null | undefined
  storeClose(handle: number): void
  storeDrain(handle: number): boolean
  storeSyncNow(handle: number): number
  storeSync(handle: number): Promise<void>
  storeReset(handle: number): void
  storeFlush(handle: number): void
  storeInfo(handle: number): NativeInfo
  storeNamed(handle: number): number
  /** The same of a store that is about to close; reads no names. */
  storeNamedLast(handle: number): number
  storeNbytes(handle: number): number
  storeAllocations(handle: number): AllocationRecord[]
  storeListing(handle: number): NativeListing
  storeLayout(handle: number): NativeLayout
  storeSummary(handle: number): Record<string, number | boolean | string>
  storeVerify(handle: number, payloads: boolean): VerifyReport
  storeVerifyAsync(handle: number, payloads: boolean, control: Control): Promise<VerifyReport>
  /** A control for one piece of work off the event loop. */
  control(): Control
  controlStop(control: Control): void
  controlRead(control: Control): Progress | null
  storeCompact(handle: number): NativeCompaction
  storeCompactAsync(handle: number, control: Control): Promise<NativeCompaction>
  /** False: it was stopped. Checks, and refuses all other calls of a store that is to be replaced, before it returns. */
  storeCompactTo(handle: number, path: string, control: Control): Promise<boolean>
  storeIsReplaced(handle: number): boolean
  /** A private buffer over the data mapping from `stride` * 3 GiB; may be asked again with more bytes. */
  segment(handle: number, stride: number, nbytes: number): ArrayBuffer
  /** Detaches a private buffer; never used on a user's. */
  detach(ab: ArrayBuffer): void
  exitSync(): void
  /** The C interface's table, as a tagged external. */
  cApi(): object
  /** Frees temporaries whose facade objects are unreachable; bytes freed. */
  sweep(): number

  names(handle: number): NativeTexts
  has(handle: number, name: string): boolean
  /** The live facade object, or 1 with a new token in [facts]. */
  getByName(handle: number, name: string): object | 1 | undefined | null
  getById(handle: number, id: number, generation: number): object | 1
  getTemporary(handle: number, id: number, generation: number): object | 1

  /** [facts] */
  reserve(handle: number, type: number, len: number, zero: boolean): void
  /** A committed vector whose elements are the first bytes of the staging page. [facts] */
  put(handle: number, type: number, len: number, name: string | null, replace: boolean): void
  /** Weakly ties the facade object to its token. */
  attach(token: number, facade: object): void
  /** [facts 7, 8, 9] */
  commit(token: number, name: string | null, replace: boolean): void
  /** The same off the event loop; resolves with id and generation, and then `refresh` is wanted. */
  commitAsync(token: number, name: string | null, replace: boolean): Promise<[number, number]>
  rename(token: number, name: string | null, replace: boolean): void
  /** The cell of a living object changed: its facts as they are now. [facts] */
  refresh(token: number): void
  /** [facts] */
  seal(token: number): void
  attributesOf(token: number): NativeAttributes
  /** A part: role 0 names, 1 row names, 2 + i dimnames of extent i. The live facade object, or 1 with a new token in [facts]. */
  childOf(token: number, role: number): object | 1 | undefined | null
  /** All or nothing; parts that are no longer named die. [facts] */
  setAttributes(token: number, changes: NativeChanges): void
  /** A barrier for this object alone. */
  syncObject(token: number): Promise<void>
  destroy(token: number, unsafe: boolean): boolean
  release(token: number): void
  nameOf(token: number): string | null
  stateOf(token: number): 'committed' | 'temporary' | 'destroyed' | 'closed'
  describe(token: number): NativeDescription
  /** Gives the live buffers that userBuffer made in this thread over the store's file to `transfer`, and lists what it returns instead. */
  moveUserBuffers(handle: number, transfer: (buffer: ArrayBuffer) => ArrayBuffer): void
  /** An external buffer over payload bytes; pins the extent until it is collected. */
  userBuffer(token: number, start: number, nbytes: number): ArrayBuffer

  /** A temporary list of these objects; -1 is nothing. [facts] */
  list(handle: number, kind: number, tokens: Int32Array): void
  /** The live facade object, or 1 with a new token in [facts]; nothing for an empty cell. */
  listGet(token: number, i: number): object | 1 | undefined | null
  /** `child` is a token, or -1 for nothing. */
  listSet(token: number, i: number, child: number): void
  /** How many cells of lists and frames hold the object. */
  parents(token: number): number
  /** Rows of a frame with columns of these lengths and so many row names (-1: none). */
  frameRows(lens: readonly number[], rowNames: number): number
  /** A temporary frame of these columns; rows are numbered without names. [facts] */
  frame(
    handle: number,
    columns: Int32Array,
    names: readonly string[],
    rowNames: readonly (string | null)[] | null,
  ): void
  /** The rows for which a mask is true, as a temporary frame of store `handle`. [facts] */
  filterRows(handle: number, token: number, mask: NativeIndex): void
  /** The rows that an index selects, as a temporary frame of store `handle`. [facts] */
  selectRows(handle: number, token: number, index: NativeIndex): void
  /** R's make.names with unique names. */
  makeNames(names: readonly string[]): string[]
  /** Ends a frame with the columns that nobody else has; with `named` also those that have a name. */
  destroyFrame(token: number, named: boolean): boolean

  /** Writes strings separated by NUL; bit i of `na` says that string i is missing. False, and nothing written: some contain NUL. */
  textWrite(token: number, start: number, text: string, n: number, na: Uint32Array): boolean
  /** Strings one after the other, by their lengths; -1: missing. */
  textWriteCut(token: number, start: number, text: string, lengths: Int32Array): void
  textSet(token: number, i: number, text: string | null): void
  textGet(token: number, i: number): string | null | undefined
  textFill(token: number, start: number, end: number, text: string | null): void
  /** At most `n` strings, and no more once they have `mostNbytes` bytes. */
  textRead(token: number, start: number, n: number, mostNbytes: number): NativeText

  /** One index, a matrix of cells included, or one for each dimension. [facts] */
  selectFrom(handle: number, token: number, indices: readonly NativeIndex[], drop: boolean): void
  /** The position of the one element that the indices name. */
  elementAt(handle: number, token: number, indices: readonly NativeIndex[]): number
  /** Assigns to a copy; `values`: -1 is NULL. [facts] Warnings. */
  replaceIn(handle: number, token: number, indices: readonly NativeIndex[], values: number): number
  /** Writes through. Warnings. */
  setAt(
    handle: number,
    token: number,
    indices: readonly NativeIndex[],
    values: number,
    exact: boolean,
  ): number
  /** The same in a part of the vector, by one index; `names`: a token, -1 is none. */
  setInPart(
    handle: number,
    token: number,
    part: { start: number; len: number; dim: readonly number[]; names: number },
    index: NativeIndex,
    values: number,
    exact: boolean,
  ): number
  /** [facts] Warnings. */
  convertTo(handle: number, token: number, type: number): number
  /** [facts] */
  combineAll(handle: number, tokens: Int32Array): void
  /** baseline, avx2, avx512 or neon. */
  instructionSet(): string
  /** Physical cores. */
  defaultThreads(): number
  /** Names of what `operate` can do; the place of one is its code. */
  operations(): string[]
  /** Operands as records of operands.ts. [facts] Warnings. */
  operate(handle: number, code: number, operands: Float64Array, threads: number): number
  /** Writes over the first operand. Warnings. */
  operateInPlace(handle: number, code: number, operands: Float64Array, threads: number): number
  /** [facts] A margin, by its code; R's warnings as bits. */
  margin(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    dims: number,
    threads: number,
  ): number
  /** [facts] A product of one or two operands, by its code; `memory`: bytes (0: all), threshold, tile. */
  product(handle: number, code: number, operands: Float64Array, memory: Float64Array, threads: number): number
  marginAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    dims: number,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
  productAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    memory: Float64Array,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
  /** The kernel that multiplies, after choosing another unless `name` is null. */
  matmulBackend(name: string | null): string
  matmulBackends(): string[]

  /** What csvRead fills and csvFrame takes. */
  csvParcel(): CsvParcel
  csvRead(
    handle: number,
    path: string,
    o: NativeCsvOptions,
    parcel: CsvParcel,
    control: Control,
  ): Promise<void>
  /** A temporary frame of what was read. [facts] */
  csvFrame(handle: number, parcel: CsvParcel): NativeCsvReport
  /** Resolves with the bytes written; nothing: it was stopped. */
  csvWrite(
    token: number,
    path: string,
    style: NativeCsvStyle,
    control: Control,
  ): Promise<number | null | undefined>

  /** Names of what `summarise` can do; the place of one is its code. */
  summaries(): string[]
  summarise(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    threads: number,
  ): NativeSummary
  summariseAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    threads: number,
    control: Control,
  ): Promise<NativeSummary>
  /** What npyRead fills and npyArray takes. */
  npyParcel(): NpyParcel
  npyRead(handle: number, path: string, parcel: NpyParcel, control: Control): Promise<void>
  /** A temporary of what was read. [facts] */
  npyArray(handle: number, parcel: NpyParcel): void
  /** Resolves with the bytes written; nothing: it was stopped. */
  npyWrite(
    token: number,
    path: string,
    replace: boolean,
    control: Control,
  ): Promise<number | null | undefined>

  /** Type code and length of an operation's result, from those of its operands. */
  expressionGives(code: number, x: number, n: number, y: number, m: number): number[]
  /** The elements of an expression of steps as a new object, in the mailbox. Warnings. */
  evaluate(handle: number, list: Int32Array, operands: Float64Array, threads: number): number
  evaluateAsync(
    handle: number,
    list: Int32Array,
    operands: Float64Array,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
  /** A summary of an expression's elements. */
  digest(
    handle: number,
    list: Int32Array,
    operands: Float64Array,
    code: number,
    remove: boolean,
    threads: number,
  ): NativeSummary
  digestAsync(
    handle: number,
    list: Int32Array,
    operands: Float64Array,
    code: number,
    remove: boolean,
    threads: number,
    control: Control,
  ): Promise<NativeSummary>

  /** Names of what `order` can do; the place of one is its code. */
  orderings(): string[]
  /** [facts] */
  order(handle: number, code: number, operands: Float64Array, threads: number): void
  orderAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    threads: number,
    control: Control,
  ): Promise<NativeMade>

  fill(token: number, start: number, end: number, pattern: Uint8Array): void
  copyRange(dst: number, dstIdx: number, src: number, srcStart: number, n: number): number
  importArray(dst: number, dstIdx: number, src: ArrayBufferView, exact: boolean): number
  /** The transpose of nrow * ncol elements of `src`, to the start of `dst`. */
  transposeRange(dst: number, src: number, srcStart: number, nrow: number, ncol: number): void
  /** `n` elements of `src`, `step` apart, to the start of `dst`. */
  copyEvery(dst: number, src: number, srcStart: number, step: number, n: number): void
  exportRange(src: number, start: number, n: number, target: ArrayBufferView): void
  /** Throws unless elements read, or about to be written, without a call are the file's. */
  checkWhole(token: number, start: number, n: number, toWrite: boolean): void
  equals(a: number, aStart: number, b: number, bStart: number, n: number): boolean
  advise(token: number, startByte: number, endByte: number, advice: string): void
  prefetch(token: number, startByte: number, endByte: number): Promise<void>
  /** [facts] */
  mmapOpen(path: string, type: number, len: number | null, readOnly: boolean): void
  mmapPath(token: number): string
}

function load(): Native {
  try {
    return createRequire(import.meta.url)('#native') as Native
  } catch (cause) {
    const host = thisHost()
    const { reason, message } = loadFailure(cause, host)
    throw new FmallocError('ERR_FMALLOC_NATIVE', message, { ...host, reason }, { cause })
  }
}

function guard<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      const result = fn(...args)
      return result instanceof Promise ? (result.catch(rethrow) as R) : result
    } catch (e) {
      throw fromNative(e)
    }
  }
}

/** Only element work and the life of one vector are called a million times a second; none of those return promises. */
function guardHot<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return fn(...args)
    } catch (e) {
      throw fromNative(e)
    }
  }
}

function rethrow(e: unknown): never {
  throw fromNative(e)
}

const ASYNC = new Set<string>([
  'storeSync',
  'storeVerifyAsync',
  'storeCompactAsync',
  'storeCompactTo',
  'csvRead',
  'csvWrite',
  'npyRead',
  'npyWrite',
  'syncObject',
  'commitAsync',
  'prefetch',
  'summariseAsync',
  'orderAsync',
  'marginAsync',
  'productAsync',
  'evaluateAsync',
  'digestAsync',
])

function wrap(binding: Native): Native {
  const wrapped: Record<string, unknown> = {}
  for (const [name, fn] of Object.entries(binding) as [string, unknown][]) {
    if (typeof fn !== 'function') continue
    const call = fn as (...args: unknown[]) => unknown
    wrapped[name] = ASYNC.has(name) ? guard(call) : guardHot(call)
  }
  return wrapped as unknown as Native
}

/** The binding, its errors translated. */
export const native: Native = wrap(load())

/** The mailbox of this thread: read it at once after a [facts] call, before anything else runs. */
export const facts: Float64Array = new Float64Array(native.factsBuffer())

/** The staging page of this thread. */
export const staging = native.stagingBuffer()

// Node 26: the first detach of any buffer in a thread leaves loops that were already hot several times slower for good. Detach one
// before any can be.
const dummy = new ArrayBuffer(8)
structuredClone(dummy, { transfer: [dummy] })
