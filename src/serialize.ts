/**
 * serializeFmalloc and its inverse. Layout, little-endian: magic (8 bytes), header length (u32), header (JSON), zeros up to a multiple of 16, payload.
 * A persistent object travels by reference (no payload), a scratch object by value. Bytes from elsewhere are checked and refused with a
 * code, whatever they hold.
 */
import { build, placeIn } from './create.js'
import { knownType, LENGTH_MAX, type Dtype } from './dtype.js'
import { fail, show } from './errors.js'
import { fallbackStore } from './home.js'
import { native } from './native.js'
import { openAny } from './ref.js'
import type { OpenRefOptions, Stored } from './types.js'
import { isVector, partsOf, type Vector } from './vector.js'

const MAGIC = Buffer.from('RFMSER1\n', 'latin1')
const HEAD = MAGIC.length + 4
const HEADER_MAX = 64 * 1024
const ALIGN = 16

/**
 * A few hundred bytes that name a persistent vector (a temporary is committed first), or a scratch vector with its elements. Throws
 * TOO_LARGE for a scratch vector that does not fit into one buffer.
 */
export function serializeFmalloc(x: Stored): Uint8Array {
  if (!isVector(x)) return fail('ARGUMENT', `serializeFmalloc: expected a vector, not ${show(x)}`)
  const { handle, start, length } = partsOf(x)
  handle.check()
  if (handle.store !== null && handle.store.mode === 'persistent') {
    if (handle.state() === 'temporary') (handle.owner as Vector).keep()
    return encode({ by: 'reference', ref: x.ref }, 0).bytes
  }
  const { bytes, payload } = encode({ by: 'value', type: x.type, length }, x.nbytes)
  if (length > 0)
    native.exportRange(handle.token, start, length, payloadArray(handle.dtype, bytes, payload, length))
  return bytes
}

function encode(header: object, nbytes: number): { bytes: Uint8Array; payload: number } {
  const json = Buffer.from(JSON.stringify(header))
  const payload = Math.ceil((HEAD + json.length) / ALIGN) * ALIGN
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(payload + nbytes)
  } catch {
    return fail(
      'TOO_LARGE',
      `serializeFmalloc: ${nbytes} bytes do not fit into one buffer; keep the vector in a persistent store`,
    )
  }
  bytes.set(MAGIC)
  new DataView(bytes.buffer).setUint32(MAGIC.length, json.length, true)
  bytes.set(json, HEAD)
  return { bytes, payload }
}

function payloadArray(
  { array, lanes }: Dtype,
  bytes: Uint8Array,
  payload: number,
  length: number,
): NodeJS.TypedArray {
  return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset + payload, length * lanes)
}

/**
 * The vector that {@link serializeFmalloc} wrote: the same object by reference, or a new temporary by value, in the thread's default
 * store or an anonymous scratch file. Throws ARGUMENT, CORRUPT or TRUNCATED for other bytes, and what `openRef` throws.
 */
export function unserializeFmalloc(bytes: Uint8Array, options?: OpenRefOptions): Stored {
  if (!(bytes instanceof Uint8Array))
    return fail('ARGUMENT', `unserializeFmalloc: expected a Uint8Array, not ${show(bytes)}`)
  const { header, payload } = decode(bytes)
  if (header['by'] === 'reference') return openAny(header['ref'], options)
  const dtype = knownType(header['type'])
  const length = header['length']
  if (header['by'] !== 'value' || dtype === undefined || !isLength(length)) {
    return fail('CORRUPT', 'unserializeFmalloc: the header makes no sense')
  }
  const nbytes = length * dtype.width
  if (bytes.length - payload !== nbytes) {
    const code = bytes.length - payload < nbytes ? 'TRUNCATED' : 'CORRUPT'
    fail(code, `unserializeFmalloc: ${nbytes} payload bytes expected, ${bytes.length - payload} are there`)
  }
  const place = placeIn(fallbackStore(), {}, false)
  return build(place, dtype, length, false, handle => {
    if (length === 0) return
    // The caller's bytes may lie at any offset; a typed array needs an aligned one.
    const aligned = (bytes.byteOffset + payload) % dtype.width === 0 || dtype.width === 1
    const source = aligned ? bytes : bytes.slice()
    native.importArray(handle.token, 0, payloadArray(dtype, source, payload, length), false)
  })
}

function decode(bytes: Uint8Array): { header: Record<string, unknown>; payload: number } {
  if (bytes.length < HEAD || MAGIC.compare(bytes, 0, MAGIC.length) !== 0) {
    fail('ARGUMENT', 'unserializeFmalloc: these bytes were not made by serializeFmalloc')
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(MAGIC.length, true)
  if (length > HEADER_MAX) fail('CORRUPT', `unserializeFmalloc: a header of ${length} bytes is too long`)
  const payload = Math.ceil((HEAD + length) / ALIGN) * ALIGN
  if (payload > bytes.length) fail('TRUNCATED', 'unserializeFmalloc: the bytes end within the header')
  try {
    const header: unknown = JSON.parse(Buffer.from(bytes.subarray(HEAD, HEAD + length)).toString())
    if (typeof header === 'object' && header !== null)
      return { header: header as Record<string, unknown>, payload }
  } catch {
    // Reported below: the parser's message would quote foreign bytes.
  }
  return fail('CORRUPT', 'unserializeFmalloc: the header is no JSON object')
}

function isLength(x: unknown): x is number {
  return typeof x === 'number' && Number.isInteger(x) && x >= 0 && x <= LENGTH_MAX
}
