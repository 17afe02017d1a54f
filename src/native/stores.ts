/**
 * The binding where stores are opened, looked at, synced, compacted and closed, and their objects found. Types only. A *store handle* names
 * an open store of this thread. Functions marked [facts] answer in the mailbox: see ../native.ts.
 */
import type { AllocationRecord, Mode, VerifyReport } from '../types.js'
import type { Control } from './compute.js'

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

/** Bytes. */
export interface NativeCompaction {
  moved: number
  freed: number
  stopped: boolean
}

/** Functions of stores. */
export interface NativeStores {
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
  storeCompact(handle: number): NativeCompaction
  storeCompactAsync(handle: number, control: Control): Promise<NativeCompaction>
  /** False: it was stopped. Checks, and refuses all other calls of a store that is to be replaced, before it returns. */
  storeCompactTo(handle: number, path: string, control: Control): Promise<boolean>
  storeIsReplaced(handle: number): boolean
  /** A private buffer over the data mapping from `stride` * 3 GiB; may be asked again with more bytes. */
  segment(handle: number, stride: number, nbytes: number): ArrayBuffer
  /** Detaches a private buffer; never used on a user's. */
  detach(ab: ArrayBuffer): void

  /** Frees temporaries whose facade objects are unreachable; bytes freed. */
  sweep(): number

  names(handle: number): NativeTexts
  has(handle: number, name: string): boolean
  /** The live facade object, or 1 with a new token in [facts]. */
  getByName(handle: number, name: string): object | 1 | undefined | null
  getById(handle: number, id: number, generation: number): object | 1
  getTemporary(handle: number, id: number, generation: number): object | 1
}
