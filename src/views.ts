/**
 * Buffers handed to users. One external ArrayBuffer per vector (larger vectors: one per stride of their payload), made at the first view and
 * cached; it pins the extent until it is collected. Close detaches them by `transfer`, which cannot abort the process, and keeps
 * the moved memory until the user's buffer is unreachable: an fs.read may still be running into it. Node 20 has no `transfer`:
 * there the views read zeros after close.
 */
import { constants } from 'node:buffer'
import type { Dtype } from './dtype.js'
import { fail } from './errors.js'
import { STRIDE, STRIDE_LENGTH, WINDOW, type Space } from './memory.js'
import { native } from './native.js'

/** Longest buffer of this Node: 4 GiB on 20. */
const BUFFER_MAX = constants.MAX_LENGTH
/** Elements of the longest view: beyond, typed arrays fall off the fast path of newer Nodes. */
export const VIEW_MAX = 2 ** 30

type Transferable = ArrayBuffer & { transfer?: () => ArrayBuffer }

const moved = new WeakMap<ArrayBuffer, ArrayBuffer>()

/** The handles of this thread on one store. Its users' buffers are listed natively: a WeakRef here would keep them to the end of the job. */
export class UserBuffers {
  /** Handles of this thread on the store that are not closed. */
  readonly spaces = new Set<Space>()

  /** The last handle closes: views get length 0 where the runtime can do it. */
  detachAll(handle: number): void {
    if (!('transfer' in ArrayBuffer.prototype)) return
    native.moveUserBuffers(handle, (buffer: Transferable) => {
      try {
        const to = buffer.transfer?.() ?? buffer
        moved.set(buffer, to)
        return to
      } catch {
        // A buffer somebody locked stays attached and reads zeros, as on Node 20.
        return buffer
      }
    })
  }
}

/** The cached buffers of one vector. */
export class PayloadBuffers {
  readonly #token: number
  readonly #nbytes: number
  readonly #made: (buffer: ArrayBuffer) => void
  readonly #strides: ArrayBuffer[] = []
  #whole: ArrayBuffer | undefined

  /** `made` is told of every new buffer. */
  constructor(token: number, nbytes: number, made: (buffer: ArrayBuffer) => void) {
    this.#token = token
    this.#nbytes = nbytes
    this.#made = made
  }

  /** The buffer that holds payload bytes [start, end), and where its byte 0 lies in the payload; end > start. */
  covering(start: number, end: number): { buffer: ArrayBuffer; base: number } {
    if (this.#whole !== undefined) return { buffer: this.#whole, base: 0 }
    const stride = this.#nbytes <= WINDOW ? 0 : Math.floor(start / STRIDE)
    const base = stride * STRIDE
    const length = Math.min(this.#nbytes - base, STRIDE_LENGTH)
    if (end <= base + length) return { buffer: (this.#strides[stride] ??= this.#make(base, length)), base }
    if (this.#nbytes > BUFFER_MAX) {
      fail(
        'TOO_LARGE',
        `a view of ${end - start} bytes does not lie in one buffer of this Node (at most ${BUFFER_MAX} bytes); use windows()`,
        { nbytes: end - start },
      )
    }
    return { buffer: (this.#whole = this.#make(0, this.#nbytes)), base: 0 }
  }

  #make(start: number, nbytes: number): ArrayBuffer {
    const buffer = native.userBuffer(this.#token, start, nbytes)
    this.#made(buffer)
    return buffer
  }
}

/** Refuses a view longer than {@link VIEW_MAX} elements. */
export function checkViewable(length: number, dtype: Dtype): void {
  if (length > VIEW_MAX) {
    fail(
      'TOO_LARGE',
      `a view of ${length} ${dtype.name} elements is too large (at most 2^30); use windows() or subarray()`,
      {
        length,
      },
    )
  }
}
