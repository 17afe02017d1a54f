/**
 * The public type vocabulary: element types, scalars, operands, options and references. Types only; nothing here runs.
 * Every other module may import from it. R's names are the only names; 0-based everywhere; null is NA; lengths count elements.
 */
import type { List } from './list.js'
import type { Matrix } from './matrix.js'
import type { NdArray } from './ndarray.js'
import type { Expr } from './expr.js'
import type { DataFrame } from './frame.js'
import type { Store } from './store.js'
import type { Vector } from './vector.js'

/** R's types: the only names in results. */
export type RType = 'logical' | 'integer' | 'numeric' | 'complex' | 'raw' | 'character'
/** Narrow storage; computes as numeric, integer or bigint. */
export type StorageType = 'float32' | 'int8' | 'int16' | 'int64'
/** Every element type. */
export type Type = RType | StorageType
/** Accepted spellings; any letter case at run time. */
export type TypeName = Type | 'double' | 'real' | 'list'
/** The canonical type of an accepted spelling. */
export type Canon<A> = A extends 'double' | 'real' ? 'numeric' : A extends Type ? A : Type

/** A complex number. As an operand it is recognised by its keys. */
export interface Complex {
  /** The real part. */
  readonly re: number
  /** The imaginary part. */
  readonly im: number
}

interface Values {
  logical: boolean
  integer: number
  numeric: number
  complex: Complex
  raw: number
  character: string
  float32: number
  int8: number
  int16: number
  int64: bigint
}

interface Views {
  logical: Int32Array
  integer: Int32Array
  numeric: Float64Array
  complex: Float64Array
  raw: Uint8Array
  float32: Float32Array
  int8: Int8Array
  int16: Int16Array
  int64: BigInt64Array
}

/** One element: null is NA; raw alone has none. */
export type Scalar<T extends Type = Type> = T extends 'raw' ? number : Values[T] | null
/** Every type but character. */
export type FixedType = keyof Views
/** The typed array over a payload; complex is 2n doubles. */
export type ViewOf<T extends Type> = T extends FixedType ? Views[T] : never
/** A byte count, or text such as `'64 MiB'`. */
export type Bytes = number | `${number} ${'B' | 'KiB' | 'MiB' | 'GiB' | 'TiB'}`

/** Values in JavaScript's own memory. */
export type Plain =
  | readonly (boolean | null)[]
  | readonly (number | null)[]
  | readonly (string | null)[]
  | readonly (Complex | null)[]
  | readonly (bigint | null)[]
  | Views[FixedType]
  | Uint32Array

/** What may stand beside a vector in an operation. */
export type Operand = Vector | Expr | Plain | boolean | number | bigint | string | Complex | Int | null

/** R's `1L`: a JavaScript number is always a double, as in R. Made by {@link int}. */
export interface Int {
  /** A whole number from -2147483647 to 2147483647. */
  readonly int: number
}

/** The element type an operand has. */
export type TypeOf<Y> = Y extends Vector<infer T> | Expr<infer T>
  ? T
  : Y extends Int
    ? 'integer'
    : Y extends Complex
      ? 'complex'
      : Y extends boolean | null
        ? 'logical'
        : Y extends number
          ? 'numeric'
          : Y extends bigint
            ? 'int64'
            : Y extends string
              ? 'character'
              : Y extends Int32Array
                ? 'integer'
                : Y extends Uint8Array
                  ? 'raw'
                  : Y extends Float32Array
                    ? 'float32'
                    : Y extends Int8Array
                      ? 'int8'
                      : Y extends Int16Array
                        ? 'int16'
                        : Y extends BigInt64Array
                          ? 'int64'
                          : Y extends Float64Array | Uint32Array
                            ? 'numeric'
                            : Y extends readonly (infer E)[]
                              ? [NonNullable<E>] extends [never]
                                ? 'logical'
                                : TypeOf<NonNullable<E>>
                              : never

/** Types that compute as integers. */
export type Whole = 'logical' | 'integer' | 'int8' | 'int16'
/** Types with an order and real values. */
export type Real = Whole | 'numeric' | 'float32'
/** Types legal in arithmetic. */
export type Num = Real | 'complex'
/** Result type of + - * %% %/%. */
export type Arith<A, B = never> = A extends 'complex'
  ? 'complex'
  : [B] extends [never]
    ? A extends Whole
      ? 'integer'
      : 'numeric'
    : B extends 'complex'
      ? 'complex'
      : A extends Whole
        ? B extends Whole
          ? 'integer'
          : 'numeric'
        : 'numeric'
/** Result type of / ^ exp, means and products. */
export type Float<A, B = never> = 'complex' extends Arith<A, B> ? Arith<A, B> : 'numeric'
/** The type that holds both A and B. */
export type Rise<A, B> = 'character' extends A | B
  ? 'character'
  : 'complex' extends A | B
    ? 'complex'
    : Extract<A | B, 'numeric' | 'float32'> extends never
      ? Extract<A | B, 'integer' | 'int8' | 'int16'> extends never
        ? A & Type
        : 'integer'
      : 'numeric'
/** The class of a result: a matrix operand gives a matrix, an array an array. */
export type Shape<S, T extends Type> = [Extract<S, Matrix>] extends [never]
  ? [Extract<S, NdArray>] extends [never]
    ? Vector<T>
    : NdArray<T>
  : Matrix<T>
/** `max(TRUE)` is 1. */
export type Ord<T extends Type> = T extends 'logical' ? number | null : Scalar<T>
/** The scalar a summary returns. */
export type Total<T extends Type> = T extends 'complex'
  ? Complex | null
  : T extends 'int64'
    ? bigint | null
    : number | null

/** R's 1-based subscript: zeros drop, negatives exclude, fractions truncate. Made by {@link rIndex}. */
export interface RIndex {
  /** Tells it from other objects. */
  readonly rIndex: true
}

/** Positions from 0, a mask, or names; a negative position throws. */
export type Index =
  | number
  | string
  | readonly (number | null)[]
  | readonly (boolean | null)[]
  | readonly (string | null)[]
  | Int32Array
  | Uint32Array
  | Float64Array
  | Vector<'logical'>
  | Vector<'integer'>
  | Vector<'numeric'>
  | Vector<'character'>
  | RIndex

/** What names one element: a position from 0, a name, or R's subscript. */
export type ElementIndex = number | string | RIndex

// ---- options

/** What `onProgress` receives. */
export interface Progress {
  /** Units done. */
  readonly done: number
  /** Units in all. */
  readonly total: number
  /** What is counted. */
  readonly unit: 'bytes' | 'tiles' | 'records'
}

/** Options of every asynchronous operation. An aborted one rejects with `signal.reason`. */
export interface AsyncOptions {
  /** Aborts the operation. */
  signal?: AbortSignal | undefined
  /** Called now and then, on this thread. */
  onProgress?: ((p: Progress) => void) | undefined
  /** Bytes that an out-of-core product may keep in memory; other operations only check it. */
  memory?: Bytes | undefined
}

/** Where a result goes: without `name` and `keep` it is a temporary. */
export interface ResultOptions {
  /** Commits the result under this name. */
  name?: string
  /** Replaces an object of that name; default false. */
  replace?: boolean
  /** Commits the result, without a name if none is given; default false. */
  keep?: boolean
  /** The store of the result; default: that of the operand. */
  into?: Store
}

/** Options of the constructors. */
export interface CreateOptions {
  /** Name in the store. */
  name?: string
  /** Replaces an object of that name, in one act; default false. */
  replace?: boolean
  /** Zeros where only a length is given; default true. */
  zeroInitialize?: boolean
  /** R's names() of the elements. */
  names?: readonly (string | null)[] | Vector<'character'>
}

/** Drop missing values first. */
export interface NaRm {
  /** Leaves NA and NaN out; default false. */
  naRm?: boolean
}

/** Options of row and column reductions. */
export interface MarginOptions extends NaRm {
  /** How many leading dimensions count as rows; default 1. */
  dims?: number
}

/** Names along each dimension. */
export type Dimnames = readonly (readonly string[] | Vector<'character'> | null)[]
/** A persistent store keeps its objects, a scratch store loses them at close. */
export type Mode = 'persistent' | 'scratch'

/** Options of {@link openFmalloc}. */
export interface OpenOptions {
  /** Fixed capacity in GiB, 0 < x <= 1000, stored in the file (at least 16 MiB); ignored for an existing file. */
  sizeGb?: number
  /** Default 'persistent'; another mode than the file's throws ERR_FMALLOC_MODE. */
  mode?: Mode
  /** The file may grow to this; default: the reserved address space. */
  maxSize?: Bytes
  /** Shared lock, private mapping; never creates. */
  readOnly?: boolean
  /** Default true; false: a missing file throws ERR_FMALLOC_NOT_FOUND. */
  create?: boolean
  /**
   * Default 'process': what was done survives kill -9, and a power cut after the next sync. 'full': every commit, name, replacement,
   * destruction and seal survives a power cut when the call returns (about a millisecond each); elements written in place still wait for
   * a sync. Whoever opens a file with 'full' turns it on for all handles of the process until the file is closed.
   */
  durability?: 'process' | 'full'
  /** Milliseconds after an unsynced commit until a background sync; default 5000; false: none, at exit neither. */
  syncEvery?: number | false
  /**
   * What becomes, after a crash of the machine, of what no sync had covered. 'drop' (default): it is gone, and the store is as at the last
   * sync. 'keep': every object, name and destruction that reached the disk whole counts; the elements of such objects are unverified (a
   * page may be old). Opening decides nothing: the first change does, for good. Counts are in `diagnose().summary`.
   */
  unsynced?: 'drop' | 'keep'
  /**
   * Milliseconds to wait for whoever has the file locked (another process, or another copy of the addon in this one); default 0, Infinity
   * for ever. Blocks the thread; then LOCKED names the holder.
   */
  lockTimeout?: number
}

/** The thread's settings. */
export interface FmallocOptions {
  /** Progress messages. */
  verbose: boolean
  /** Results longer than this (elements) go to the file. */
  reduceResultLength: number
  /** Left operands from this size (GiB) are multiplied out of core. */
  oocThresholdGb: number
  /** Tile of an out-of-core product, MiB. */
  oocTileMb: number
  /** Threads of a kernel. */
  threads: number
  /** Folder of anonymous scratch files. */
  tmpDir: string
}

// ---- references

/** What a reference may describe. */
export type Shaped = 'vector' | 'matrix' | 'array'

interface RefBase {
  /** Of the store. */
  readonly uuid: string
  /** Of the file, absolute; empty for an anonymous scratch file. */
  readonly path: string
  /** Number of the object in its store. */
  readonly id: number
  /** Tells the object from others that had or will have its id. */
  readonly generation: number
  /** Works in this process only. */
  readonly temporary: boolean
}

/** The small plain name of a vector: clonable, JSON-safe; `start` is the first element of a subarray. */
export interface VectorRef<T extends Type = Type, K extends Shaped = Shaped> extends RefBase {
  /** 'vector', 'matrix' or 'array'. */
  readonly kind: K
  /** The element type. */
  readonly type: T
  /** Elements. */
  readonly length: number
  /** Extents, or null. */
  readonly dim: readonly number[] | null
  /** Position of the first element in the whole object. */
  readonly start: number
}

/** Column names and types of a frame. */
export type Schema = { readonly [column: string]: Type }

/** The name of a data frame. */
export interface DataFrameRef<C extends Schema = Schema> extends RefBase {
  /** 'dataFrame'. */
  readonly kind: 'dataFrame'
  /** Names and types of the columns. */
  readonly schema: C
  /** Rows. */
  readonly nrow: number
}

/** The name of a list. */
export interface ListRef extends RefBase {
  /** 'list'. */
  readonly kind: 'list'
  /** Cells. */
  readonly length: number
}

/** Any reference. */
export type Ref = VectorRef | DataFrameRef | ListRef

/** Options of {@link openRef}: never creates. */
export interface OpenRefOptions extends Omit<OpenOptions, 'sizeGb' | 'create'> {
  /** The file was moved here. */
  path?: string
}

/** What a store holds. */
export type Stored = Vector | List | DataFrame

// ---- reports

/** One row of `store.allocations()`. Offsets and sizes in bytes, length in elements. */
export interface AllocationRecord {
  /** Where the record is in the file, bytes. */
  recordOffset: number
  /** Unique, rising with creation. */
  generation: number
  /** Whether it counts. */
  state: 'committed' | 'tombstone' | 'in_progress' | 'unknown'
  /** R's name of the element type. */
  type: string
  /** Elements. */
  length: number
  /** Where the elements are in the file, bytes. */
  payloadOffset: number
  /** Bytes of the elements. */
  payloadNbytes: number
  /** A sum: 1 recoverable, 2 text, 4 a container. */
  flags: number
  /** Whether a reference to it can be opened later. */
  recoverable: boolean
  /** Name in the store, or null. */
  name: string | null
}

/** The runtime part of a diagnosis. */
export interface RuntimeInfo {
  /** The absolute path. */
  filepath: string
  /** See {@link Store.uuid}. */
  uuid: string
  /** 'persistent' or 'scratch'. */
  mode: Mode
  /** Bytes of the file. */
  mappedBytes: number
  /** Whether cleanupFmalloc was called while objects were alive. */
  closeRequested: boolean
  /** Living handles of all threads. */
  liveVectors: number
  /** Buffers over elements that were given out and are not collected yet. */
  externalRefs: number
  /** Where the first catalog segment is in the file, bytes. */
  catalogHeadOffset: number
  /** Records that count. */
  catalogCount: number
  /** The last sequence number issued. */
  catalogEpoch: number
  /** Whether the store is open. */
  runtimeOpen: boolean
}

/** What `store.diagnose()` returns. */
export interface Diagnosis {
  /** Of the open store. */
  runtime: RuntimeInfo
  /** As {@link Store.allocations}. */
  catalog: AllocationRecord[]
  /** Numbers by name; see {@link Store.diagnose}. */
  summary: Readonly<Record<string, number | boolean | string>>
}

/** What `store.verify()` returns. */
export interface VerifyReport {
  /** Whether there are no faults. */
  ok: boolean
  /** Each fault: the place, its byte offset, what is wrong, and the id of the record or null. */
  faults: readonly {
    /** The part of the file. */
    where: string
    /** Bytes from the start of the file. */
    offset: number
    /** What is wrong. */
    what: string
    /** Of the record, or null. */
    id: number | null
  }[]
}
