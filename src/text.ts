/**
 * Strings in and out of character vectors. They cross to the binding many at a time, as one string with NUL between them (one copy and one
 * split on either side); where one of them contains NUL, one after the other with their lengths.
 */
import { fail, show } from './errors.js'
import type { Handle } from './handle.js'
import { native } from './native.js'

/** Strings that cross at a time, and about how many UTF-16 units: far below the longest string of any Node. */
const CHUNK = 65536
const CHUNK_UNITS = 2 ** 26
/** UTF-8 bytes read at a time. */
const CHUNK_BYTES = 2 ** 26

/** One element: a well-formed string, or null. Throws VALUE for anything else, ENCODING for a lone surrogate. */
export function checkText(value: unknown, at?: number): string | null {
  if (value === null) return null
  if (typeof value !== 'string') return noText(value, at)
  if (!isWellFormed(value)) loneSurrogate(value, at)
  return value
}

function noText(value: unknown, at: number | undefined): never {
  const where = at === undefined ? '' : ` (element ${at})`
  const hint = value === undefined ? 'undefined is never NA: write null' : 'it is no string'
  return fail(
    'VALUE',
    `cannot write ${show(value)}${where} into a character vector: ${hint}`,
    at === undefined ? {} : { index: at },
  )
}

function loneSurrogate(value: string, at: number | undefined): never {
  const where = at === undefined ? '' : ` (element ${at})`
  return fail(
    'ENCODING',
    `cannot write ${show(value)}${where}: it contains a lone surrogate, which is no text`,
    at === undefined ? {} : { index: at },
  )
}

const native16 = (String.prototype as { isWellFormed?: () => boolean }).isWellFormed

/** Whether a string has no lone surrogate. */
export function isWellFormed(text: string): boolean {
  return native16 === undefined ? !/\p{Surrogate}/u.test(text) : native16.call(text)
}

/** Checks every element of a list of strings; what is accepted is what {@link writeTexts} takes. */
export function checkTexts(values: readonly unknown[]): asserts values is readonly (string | null)[] {
  for (let at = 0; at < values.length;) {
    const end = chunkEnd(values, at)
    if (!isWellFormed((values as readonly (string | null)[]).slice(at, end).join('\0')))
      for (let i = at; i < end; i++) checkText(values[i], i)
    at = end
  }
}

/** Where a chunk from `at` ends: so many strings, or so much text. Throws VALUE for what is no string. */
function chunkEnd(values: readonly unknown[], at: number): number {
  const most = Math.min(values.length, at + CHUNK)
  let units = 0
  for (let i = at; i < most; i++) {
    const value = values[i]
    if (typeof value === 'string') units += value.length
    else if (value !== null) noText(value, i)
    if (units > CHUNK_UNITS && i > at) return i
  }
  return most
}

/** Writes strings from payload element `start` on. Chunks before one that is refused are written: check first what must be all or nothing. */
export function writeTexts(handle: Handle, start: number, values: readonly unknown[]): void {
  for (let at = 0; at < values.length;) {
    const end = chunkEnd(values, at)
    writeChunk(handle, start + at, (values as readonly (string | null)[]).slice(at, end), at)
    at = end
  }
}

/** `first`: position of the chunk's first string among the caller's. */
function writeChunk(handle: Handle, at: number, chunk: readonly (string | null)[], first: number): void {
  const text = chunk.join('\0')
  if (!isWellFormed(text)) for (let i = 0; i < chunk.length; i++) checkText(chunk[i], first + i)
  const na = new Uint32Array(Math.ceil(chunk.length / 32))
  for (let i = 0; i < chunk.length; i++) if (chunk[i] === null) na[i >>> 5]! |= 1 << (i & 31)
  if (native.textWrite(handle.token, at, text, chunk.length, na)) return
  const lengths = Int32Array.from(chunk, s => (s === null ? -1 : s.length))
  native.textWriteCut(handle.token, at, chunk.join(''), lengths)
}

/** Reads payload elements [start, start + count). */
export function readTexts(handle: Handle, start: number, count: number): (string | null)[] {
  let out: (string | null)[] = []
  for (let at = 0; at < count;) {
    const chunk = readChunk(handle, start + at, Math.min(CHUNK, count - at))
    at += chunk.length
    if (at === count && out.length === 0) return chunk
    if (out.length === 0) out = chunk
    else for (const text of chunk) out.push(text)
  }
  return out
}

/** At least one of the next `count` strings, which is not 0. */
export function readChunk(handle: Handle, start: number, count: number): (string | null)[] {
  const { count: found, text, na, lengths } = native.textRead(handle.token, start, count, CHUNK_BYTES)
  if (lengths) return cut(text, lengths)
  const out: (string | null)[] = found === 0 ? [] : text.split('\0')
  for (let i = 0; i < na.length; i++) out[na[i] as number] = null
  return out
}

function cut(text: string, lengths: Int32Array): (string | null)[] {
  let from = 0
  return Array.from(lengths, length => {
    if (length < 0) return null
    from += length
    return text.slice(from - length, from)
  })
}

/** Strings that cross at a time. */
export const TEXT_CHUNK = CHUNK
