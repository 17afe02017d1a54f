/**
 * A run of elements as get and set see it: typed arrays over some buffer, with NA handled. A lane over store memory is private: its
 * arrays are never handed out. One class with a switch rather than one class per type, so that the hot calls stay monomorphic
 * (about 3 ns an element; a native call costs 20 to 90). One over strings has their views as words: see `inline-text`.
 */
import { CHARACTER, COMPLEX, INTEGER, LOGICAL, NUMERIC } from './dtype.js'
import { INT_NA, NA_LOW, writeNa } from './na.js'
import type { Encoded } from './scalar.js'
import type { Complex, Scalar } from './types.js'

const NO_F64 = new Float64Array(0)
const NO_I32 = new Int32Array(0)
const NO_U8 = new Uint8Array(0)

export class Lane {
  readonly code: number
  /** Index of the lane's first element within its vector. */
  readonly first: number
  /** Elements. */
  readonly count: number
  readonly f64: Float64Array
  readonly i32: Int32Array
  readonly u8: Uint8Array
  /** What the liveness cell of the vector said when the lane was made: with another value the elements may lie elsewhere. */
  readonly stamp: number
  #words: Uint32Array | undefined

  constructor(
    code: number,
    buffer: ArrayBuffer,
    byteOffset: number,
    first: number,
    count: number,
    stamp: number,
  ) {
    this.stamp = stamp
    this.code = code
    this.first = first
    this.count = count
    this.f64 = NO_F64
    this.i32 = NO_I32
    this.u8 = NO_U8
    if (code === NUMERIC) this.f64 = new Float64Array(buffer, byteOffset, count)
    else if (code === COMPLEX) this.f64 = new Float64Array(buffer, byteOffset, 2 * count)
    else if (code === INTEGER || code === LOGICAL) this.i32 = new Int32Array(buffer, byteOffset, count)
    else if (code === CHARACTER) this.i32 = new Int32Array(buffer, byteOffset, 4 * count)
    else this.u8 = new Uint8Array(buffer, byteOffset, count)
  }

  /** A lane over memory of its own. */
  static own(code: number, width: number, count: number): Lane {
    return new Lane(code, new ArrayBuffer(width * count), 0, 0, count, 0)
  }

  /** The typed array that holds the elements. */
  get array(): Float64Array | Int32Array | Uint8Array {
    if (this.code === NUMERIC || this.code === COMPLEX) return this.f64
    return this.code === INTEGER || this.code === LOGICAL ? this.i32 : this.u8
  }

  /** Element `k` of the lane; 0 <= k < count. */
  read(k: number): Scalar {
    switch (this.code) {
      case NUMERIC: {
        const x = this.f64[k] as number
        return x === x ? x : this.#isNa(k) ? null : Number.NaN
      }
      case INTEGER: {
        const x = this.i32[k] as number
        return x === INT_NA ? null : x
      }
      case LOGICAL: {
        const x = this.i32[k] as number
        return x === INT_NA ? null : x !== 0
      }
      case COMPLEX:
        return this.#readComplex(k)
      default:
        return this.u8[k] as number
    }
  }

  /** Writes an encoded element at `k`; 0 <= k < count. */
  write(k: number, value: Encoded): void {
    switch (this.code) {
      case NUMERIC:
        if (value === null) writeNa(this.#lows(), k)
        else this.f64[k] = value as number
        return
      case INTEGER:
      case LOGICAL:
        this.i32[k] = value === null ? INT_NA : (value as number)
        return
      case COMPLEX:
        this.#writeComplex(k, value as Complex | null)
        return
      default:
        this.u8[k] = value as number
    }
  }

  #readComplex(k: number): Complex | null {
    const re = this.f64[2 * k] as number
    const im = this.f64[2 * k + 1] as number
    if ((re !== re && this.#isNa(2 * k)) || (im !== im && this.#isNa(2 * k + 1))) return null
    return { re, im }
  }

  #writeComplex(k: number, value: Complex | null): void {
    if (value === null) {
      writeNa(this.#lows(), 2 * k)
      writeNa(this.#lows(), 2 * k + 1)
    } else {
      this.f64[2 * k] = value.re
      this.f64[2 * k + 1] = value.im
    }
  }

  /** Whether double `k`, known to be a NaN, is NA. */
  #isNa(k: number): boolean {
    return this.#lows()[2 * k] === NA_LOW
  }

  #lows(): Uint32Array {
    return (this.#words ??= new Uint32Array(this.f64.buffer, this.f64.byteOffset, 2 * this.f64.length))
  }
}
