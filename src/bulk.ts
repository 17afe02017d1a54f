/**
 * Bulk reads and writes of element ranges: what `write`, `readInto`, `fill` and `fmallocSet` do. All values are checked before the first one is
 * written.
 */
import {
  CHARACTER,
  checkFixed,
  COMPLEX,
  INTEGER,
  isImportable,
  isTypedArray,
  LOGICAL,
  NUMERIC,
  RAW,
  type Dtype,
} from './dtype.js'
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { Lane } from './lane.js'
import { native } from './native.js'
import { exact, type Encoded } from './scalar.js'
import { checkTexts, writeTexts } from './text.js'
import { isVector, partsOf, type Parts } from './vector.js'

/** Elements handled at a time: at most 1 MiB, within one lane. */
export const CHUNK = 65536
const FIRST_CHUNK = 256

/** Encoded values in memory of their own. */
export interface Chunks {
  readonly chunks: { readonly lane: Lane; readonly used: number }[]
  readonly total: number
}

/** Encodes every value of an iterable; more than `limit` of them throw OUT_OF_BOUNDS, so an endless iterable ends. */
export function collect(
  dtype: Dtype,
  source: Iterable<unknown>,
  encode: (value: unknown, at: number) => Encoded,
  limit: number,
): Chunks {
  const chunks: { lane: Lane; used: number }[] = []
  let total = 0
  let current: { lane: Lane; used: number } | undefined
  for (const value of source) {
    if (total >= limit)
      fail('OUT_OF_BOUNDS', `more values than the ${limit} elements there is room for`, { room: limit })
    if (current === undefined || current.used === current.lane.count) {
      const count = current === undefined ? FIRST_CHUNK : Math.min(CHUNK, 4 * current.lane.count)
      current = { lane: Lane.own(dtype.code, dtype.width, count), used: 0 }
      chunks.push(current)
    }
    current.lane.write(current.used, encode(value, total))
    current.used += 1
    total += 1
  }
  return { chunks, total }
}

/** Copies chunks into payload elements from `start`; bits are kept. */
export function setChunks(handle: Handle, start: number, chunks: Chunks['chunks']): void {
  const total = chunks.reduce((n, { used }) => n + used, 0)
  handle.checkWhole(start, total, true)
  let at = start
  for (const { lane, used } of chunks) {
    const target = handle.lane(at, used, 0).array
    target.set(lane.array.subarray(0, used * handle.dtype.lanes) as never)
    at += used
  }
  handle.checkWhole(start, total, true)
}

/** A position within 0..length, the end included. */
export function checkStart(start: unknown, length: number, operation: string): number {
  if (typeof start !== 'number' || !Number.isInteger(start)) {
    return fail('SUBSCRIPT', `${operation}: a position must be a whole number, not ${show(start)}`)
  }
  if (start < 0 || start > length) {
    fail('OUT_OF_BOUNDS', `${operation}: position ${start} is outside 0..${length}`, { index: start, length })
  }
  return start
}

/** Vector.write. */
export function writeValues(to: Parts, values: unknown, start: number): void {
  const { handle } = to
  handle.checkWritable()
  const at = checkStart(start, to.length, 'write')
  const room = to.length - at
  const target = to.start + at
  if (isVector(values)) {
    const from = partsOf(values)
    from.handle.check()
    checkRoom(from.length, room)
    checkExactVector(handle.dtype, values, from)
    native.copyRange(handle.token, target, from.handle.token, from.start, from.length)
  } else if (handle.dtype.code === CHARACTER) {
    const texts = textsOf(values, room)
    checkRoom(texts.length, room)
    // All of them before the first is written; and the iterable is anybody's code.
    checkTexts(texts)
    handle.checkWritable()
    writeTexts(handle, target, texts)
  } else if (isTypedArray(values) && isImportable(values)) {
    const pairs = handle.dtype.code === COMPLEX && values instanceof Float64Array
    if (pairs && values.length % 2 !== 0) {
      fail(
        'LENGTH',
        `write: a Float64Array written to complex holds pairs, but its length ${values.length} is odd`,
      )
    }
    checkRoom(pairs ? values.length / 2 : values.length, room)
    if (values.length > 0) native.importArray(handle.token, target, values, true)
  } else if (typeof values === 'object' && values !== null && Symbol.iterator in values) {
    if (Array.isArray(values)) checkRoom(values.length, room)
    const { code } = handle.dtype
    const { chunks } = collect(handle.dtype, values as Iterable<unknown>, (x, i) => exact(code, x, i), room)
    // The iterable is anybody's code: it may have destroyed or sealed the vector.
    handle.checkWritable()
    setChunks(handle, target, chunks)
  } else {
    fail('ARGUMENT', `write: expected an array, a typed array, an iterable or a Vector, not ${show(values)}`)
  }
}

/** The values of an array or iterable; an endless one ends with more than there is room for. */
function textsOf(values: unknown, room: number): readonly unknown[] {
  if (Array.isArray(values)) return values
  const out: unknown[] = []
  if (typeof values !== 'object' || values === null || !(Symbol.iterator in values))
    return fail('ARGUMENT', `write: expected an array, an iterable or a Vector, not ${show(values)}`)
  for (const value of values as Iterable<unknown>) {
    out.push(value)
    if (out.length > room) break
  }
  return out
}

function checkRoom(count: number, room: number): void {
  if (count > room) {
    fail(
      'OUT_OF_BOUNDS',
      `write: ${count} values do not fit into the ${room} elements from start on; a vector never grows`,
      {
        count,
        room,
      },
    )
  }
}

/** Types whose every element converts exactly to the wider type; NA included. */
const WIDENS: Readonly<Record<number, readonly number[]>> = {
  [LOGICAL]: [INTEGER, NUMERIC, COMPLEX],
  [INTEGER]: [NUMERIC, COMPLEX],
  [NUMERIC]: [COMPLEX],
  [RAW]: [INTEGER, NUMERIC, COMPLEX],
}

function checkExactVector(dtype: Dtype, values: { get(i: number): unknown }, from: Parts): void {
  const { code } = from.handle.dtype
  if (code === dtype.code || WIDENS[code]?.includes(dtype.code) === true) return
  for (let i = 0; i < from.length; i++) exact(dtype.code, values.get(i), i)
}

/** Vector.readInto: raw bits; the number of elements read. */
export function readInto(from: Parts, target: unknown, start: number): number {
  const { dtype } = from.handle
  from.handle.check()
  checkFixed(dtype, 'readInto', 'toArray()')
  if (!(target instanceof dtype.array)) {
    return fail(
      'TYPE',
      `readInto: a ${dtype.name} vector is read into a ${dtype.array.name}, not ${show(target)}`,
    )
  }
  const at = checkStart(start, from.length, 'readInto')
  const count = Math.min(from.length - at, Math.floor(target.length / dtype.lanes))
  if (count === 0) return 0
  native.exportRange(from.handle.token, from.start + at, count, target.subarray(0, count * dtype.lanes))
  return count
}

/** Fills a vector with one encoded element. */
export function fillWith(to: Parts, value: Encoded): void {
  const { code, width } = to.handle.dtype
  const pattern = Lane.own(code, width, 1)
  pattern.write(0, value)
  if (to.length > 0) {
    native.fill(
      to.handle.token,
      to.start,
      to.start + to.length,
      new Uint8Array(pattern.array.buffer as ArrayBuffer),
    )
  }
}
