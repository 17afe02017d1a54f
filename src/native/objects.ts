/**
 * The binding where objects live: made, committed, named, ended; their attributes and parts; lists and frames that hold them. Types only.
 * A *token* is a small integer naming an object this thread holds. Functions marked [facts] answer in the mailbox: see ../native.ts.
 */
import type { NativeIndex } from './elements.js'

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

/** Functions of objects. */
export interface NativeObjects {
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
}
