/**
 * serializeFmalloc and its inverse. Layout, little-endian: magic (8 bytes), header length (u32), header (JSON), zeros up to a multiple of 16, payload.
 * A persistent object travels by reference (no payload), a scratch object by value (`by-value.ts`). Bytes from elsewhere are checked and
 * refused with a code, whatever they hold.
 */
import { decodeValue, encodeValue } from './by-value.js'
import { fail, show } from './errors.js'
import { isStored, handleOf } from './facade.js'
import { fallbackStore } from './home.js'
import { keepObject } from './life.js'
import { openAny } from './ref.js'
import type { OpenRefOptions, Stored } from './types.js'
import { isVector, partsOf } from './vector.js'

const MAGIC = Buffer.from('RFMSER1\n', 'latin1')
const HEAD = MAGIC.length + 4
const HEADER_MAX = 2 ** 31 - 1
const ALIGN = 16

/**
 * A few hundred bytes that name a persistent vector, list or data frame (a temporary is committed first), or one of a scratch store with
 * everything in it: elements, names, shapes, nested lists. Throws TOO_LARGE for what does not fit into one buffer.
 */
export function serializeFmalloc(x: Stored): Uint8Array {
  if (!isStored(x))
    return fail('ARGUMENT', `serializeFmalloc: expected a vector, list or data frame, not ${show(x)}`)
  // A subarray travels with the part that it covers.
  const handle = isVector(x) ? partsOf(x).handle : handleOf(x, 'serializeFmalloc')
  handle.check()
  if (handle.store !== null && handle.store.mode === 'persistent') {
    if (handle.state() === 'temporary') keepObject(handle, undefined, undefined)
    return encode({ by: 'reference', ref: x.ref }, 0).bytes
  }
  const { nodes, nbytes, write } = encodeValue(x)
  const { bytes, payload } = encode({ by: 'value', nodes }, nbytes)
  write(bytes, payload)
  return bytes
}

function encode(header: object, nbytes: number): { bytes: Uint8Array; payload: number } {
  let json: Buffer
  let bytes: Uint8Array
  let payload: number
  try {
    json = Buffer.from(JSON.stringify(header))
    payload = Math.ceil((HEAD + json.length) / ALIGN) * ALIGN
    bytes = new Uint8Array(payload + nbytes)
  } catch {
    return fail(
      'TOO_LARGE',
      `serializeFmalloc: ${nbytes} bytes do not fit into one buffer; keep the object in a persistent store`,
    )
  }
  bytes.set(MAGIC)
  new DataView(bytes.buffer).setUint32(MAGIC.length, json.length, true)
  bytes.set(json, HEAD)
  return { bytes, payload }
}

/**
 * The object that {@link serializeFmalloc} wrote: the same object by reference, or a new temporary by value, in the thread's default
 * store or an anonymous scratch file. Throws ARGUMENT, CORRUPT or TRUNCATED for other bytes, and what `openRef` throws.
 */
export function unserializeFmalloc(bytes: Uint8Array, options?: OpenRefOptions): Stored {
  if (!(bytes instanceof Uint8Array))
    return fail('ARGUMENT', `unserializeFmalloc: expected a Uint8Array, not ${show(bytes)}`)
  const { header, payload } = decode(bytes)
  if (header['by'] === 'reference') return openAny(header['ref'], options)
  if (header['by'] !== 'value') return fail('CORRUPT', 'unserializeFmalloc: the header makes no sense')
  return decodeValue(fallbackStore(), header['nodes'], bytes, payload)
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
