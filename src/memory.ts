/**
 * The memory behind one store handle: whether it is still open, liveness cells, and the *private* buffers get and set read through. Nothing made
 * here may reach a user: a private buffer spans other vectors too, and is detached at close.
 *
 * The data mapping is cut into strides that start every 3 GiB and are up to 4 GiB long, so that any window of at most 1 GiB lies in one
 * buffer, which is as long as Node 20 allows.
 */
import { fail, isFmallocError } from './errors.js'
import { native } from './native.js'
import { GIB, MIB } from './options.js'
import type { TidyScope } from './tidy.js'
import type { UserBuffers } from './views.js'

/** Distance between strides, bytes. */
export const STRIDE = 3 * GIB
/** Length of a stride, bytes: Node 20's longest buffer. */
export const STRIDE_LENGTH = 4 * GIB
/** Longest window, bytes: also keeps every index below 2^30, where typed arrays are fast on every Node. */
export const WINDOW = GIB
/** Private buffers grow in powers of two from here. */
const SEGMENT_MIN = MIB

const CELLS_PER_CHUNK = 65536
const chunks: Int32Array[] = []

/** The chunk of liveness cells that holds `cell`. */
export function cellsOf(cell: number): Int32Array {
  const chunk = Math.floor(cell / CELLS_PER_CHUNK)
  return (chunks[chunk] ??= new Int32Array(native.cells(chunk)))
}

/** Position of `cell` in its chunk. */
export function cellIndex(cell: number): number {
  return cell % CELLS_PER_CHUNK
}

/** What the binding said when the store was opened; createMmapVector has a space without a store. */
export interface SpaceFacts {
  readonly handle: number
  readonly path: string
  readonly uuid: string
  readonly readOnly: boolean
  readonly lossCell: number
  readonly lossValue: number
}

export class Space {
  /** The binding's store handle; 0 for createMmapVector. */
  readonly handle: number
  readonly path: string
  readonly uuid: string
  readonly readOnly: boolean
  /** Buffers handed to users; shared by all handles of this thread on one store. */
  readonly users: UserBuffers
  /** False from close on: every vector of the handle is then dead. */
  open = true
  /** False from close or cleanupFmalloc on: no new vectors. */
  accepting = true
  /** Running `store.tidy` calls, innermost last. */
  readonly scopes: TidyScope[] = []

  /** The cell that changes with the first loss, and what it must be for a read to count: 0, which it never is, after close. */
  readonly lossCells: Int32Array
  readonly lossCell: number
  wholeValue: number
  /** Open, writable, and no loss known to this thread. */
  canWrite: boolean
  readonly #segments: ArrayBuffer[] = []
  /** All private buffers ever made: a smaller one may still be in use by an old lane. */
  readonly #made: ArrayBuffer[] = []

  constructor(known: SpaceFacts, users: UserBuffers) {
    this.handle = known.handle
    this.path = known.path
    this.uuid = known.uuid
    this.readOnly = known.readOnly
    this.lossCells = cellsOf(known.lossCell)
    this.lossCell = cellIndex(known.lossCell)
    this.wholeValue = known.lossValue
    this.canWrite = !known.readOnly
    this.users = users
    users.spaces.add(this)
  }

  /**
   * False once a page of the file was lost (another program cut the file, the disk fails) and reads as zeros: what was read before the
   * question counts only if it is true. Which elements are lost says `native.checkWhole`.
   */
  get whole(): boolean {
    return this.lossCells[this.lossCell] === this.wholeValue
  }

  /** Refuses new objects in a closed or read-only store. */
  checkCreatable(): void {
    this.checkAccepting()
    if (this.readOnly)
      fail(
        'READ_ONLY',
        `${this.path} was opened read-only; open it without readOnly to create or change objects`,
      )
  }

  /** Throws CLOSED after close or cleanupFmalloc. */
  checkAccepting(): void {
    if (!this.accepting) fail('CLOSED', `runtime is closed: ${this.path}; open it again with openFmalloc`)
  }

  /** The private buffer of a stride, at least `end` bytes long. */
  segment(stride: number, end: number): ArrayBuffer {
    const known = this.#segments[stride]
    if (known !== undefined && known.byteLength >= end) return known
    let nbytes = SEGMENT_MIN
    while (nbytes < end) nbytes *= 2
    const buffer = native.segment(this.handle, stride, nbytes)
    this.#segments[stride] = buffer
    this.#made.push(buffer)
    return buffer
  }

  /** Ends the handle: detaches what users hold if this was the thread's last handle on the store, then the private buffers. */
  close(): void {
    if (!this.open) return
    this.open = false
    this.wholeValue = 0
    this.canWrite = false
    this.accepting = false
    this.users.spaces.delete(this)
    for (const other of this.users.spaces) other.#noticeEnd()
    if (this.users.spaces.size === 0) this.users.detachAll(this.handle)
    for (const buffer of this.#made) native.detach(buffer)
    this.#made.length = 0
    this.#segments.length = 0
  }

  /** After cleanupFmalloc the binding closes the handle by itself once its last vector is collected. */
  #noticeEnd(): void {
    if (this.accepting || !this.open) return
    try {
      native.storeInfo(this.handle)
    } catch (e) {
      if (isFmallocError(e, 'ERR_FMALLOC_CLOSED')) this.close()
    }
  }
}
