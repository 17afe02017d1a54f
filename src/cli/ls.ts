/**
 * The command ls. Lines are put together as bytes, from the columns of the listing: a million objects become no million strings.
 */
import { Buffer } from 'node:buffer'
import { columns, listed, type Columns, type Listed } from '../catalog.js'
import { KIND } from '../dtype.js'
import type { Store } from '../store.js'
import type { Given, Spec } from './arguments.js'
import { EXIT, JSON_HELP, plain, size, table, write } from './output.js'

export const LS: Spec = {
  args: ['STORE'],
  options: { all: { type: 'boolean', short: 'a' } },
  help: `lists the objects of a store in the order of creation

A data frame is as large as its columns; dim is rows x columns.
  -a, --all      also objects without a name: the columns of frames, what lists hold
${JSON_HELP}`,
}

export async function ls(store: Store, given: Given): Promise<number> {
  const all = columns(store)
  const withUnnamed = given.flag('all')
  for (const chunk of given.json ? asJson(all, withUnnamed) : asText(all, withUnnamed)) await write(chunk)
  return EXIT.done
}

/** Bytes that are written at a time. */
const CHUNK = 1 << 18
/** More than a name of 4096 bytes, each of them escaped, and the numbers of a line. */
const ROOM = 6 * 4096 + 100
const [NEW_LINE, QUOTE, HASH, DOT, ZERO, BACKSLASH, DELETE] = [10, 34, 35, 46, 48, 92, 127]

/** Lines as bytes. */
class Lines {
  #bytes = Buffer.allocUnsafeSlow(CHUNK)
  #at = 0

  /** Whether the next line may not have room. */
  get isFull(): boolean {
    return this.#at > CHUNK - ROOM
  }

  /** What there is, for good. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#at)
    this.#bytes = Buffer.allocUnsafeSlow(CHUNK)
    this.#at = 0
    return taken
  }

  byte(code: number): void {
    this.#bytes[this.#at++] = code
  }

  text(text: string): void {
    this.#at += this.#bytes.write(text, this.#at)
  }

  /** For few bytes; a native call would cost more. */
  copy(from: Uint8Array, start = 0, end = from.length): void {
    const bytes = this.#bytes
    let at = this.#at
    for (let k = start; k < end; k++) bytes[at++] = from[k] as number
    this.#at = at
  }

  /** A whole number, 0 or more. */
  number(n: number): void {
    if (n >= 2 ** 31) return this.text(String(n))
    let digits = 1
    for (let power = 10; power <= n; power *= 10) digits++
    let rest = n | 0
    for (let at = (this.#at += digits); digits-- > 0; rest = (rest / 10) | 0) {
      this.#bytes[--at] = ZERO + (rest % 10)
    }
  }
}

/** The longest beginning or end of a line that is kept to be copied: what does not fit is no common case. */
const KEPT = 1024

/**
 * What `make` gives for object `i`, made once for neighbours that differ in name and id only: a million objects are mostly alike. Those with
 * extents are always asked for.
 */
function alike<T>(all: Columns, make: (object: Listed) => T): (i: number) => T {
  const { kinds, typeCodes, lengths, nbytes } = all
  const owners = new Int32Array(KEPT).fill(-1)
  const made: T[] = []
  return i => {
    const [kind, type] = [kinds[i] as number, typeCodes[i] as number]
    const [length, bytes] = [lengths[i] as number, nbytes[i] as number]
    if (kind !== KIND.vector && kind !== KIND.list) return make(listed(all, i, null))
    const mixed = (length * 31 + bytes * 7 + type) | 0
    const at = (mixed ^ (mixed >>> 10)) & (KEPT - 1)
    const j = owners[at] as number
    const isSame =
      j >= 0 && kinds[j] === kind && typeCodes[j] === type && lengths[j] === length && nbytes[j] === bytes
    if (!isSame) {
      made[at] = make(listed(all, i, null))
      owners[at] = i
    }
    return made[at] as T
  }
}

/** Cells of an object's row, but for the name. */
function cells({ kind, type, length, dim, nbytes }: Listed): string[] {
  return [kind, type ?? 'damaged', dim === '' ? String(length) : dim, size(nbytes)]
}

function* asText(all: Columns, withUnnamed: boolean): IterableIterator<Uint8Array> {
  const header = ['kind', 'type', 'length', 'size']
  const widest = [...header]
  const measure = alike(all, object => {
    cells(object).forEach((cell, k) => {
      if (cell.length > (widest[k] as string).length) widest[k] = cell
    })
  })
  for (let i = 0; i < all.ids.length; i++) measure(i)
  // Rows as wide as the widest, so that each is laid out by itself.
  const row = (texts: readonly string[]): string => [...table(widest, [texts], [2, 3])].at(-1) as string
  const lines = new Lines()
  lines.text(`${row(header)}  name\n`)
  const begin = alike(all, object => Buffer.from(`${row(cells(object))}  `))
  const { names, ids, generations } = all
  const bytes = Buffer.from(names.bytes.buffer, names.bytes.byteOffset, names.bytes.length)
  for (let i = 0, from = 0; i < ids.length; i++) {
    const length = names.lengths[i] as number
    if (length >= 0 || withUnnamed) {
      const start = begin(i)
      lines.copy(start)
      if (length < 0) {
        lines.byte(HASH)
        lines.number(ids[i] as number)
        lines.byte(DOT)
        lines.number(generations[i] as number)
      } else if (isPlain(bytes, from, from + length)) lines.copy(bytes, from, from + length)
      else lines.text(plain(bytes.toString('utf8', from, from + length)))
      lines.byte(NEW_LINE)
      if (lines.isFull) yield lines.take()
    }
    if (length > 0) from += length
  }
  yield lines.take()
}

/** Whether all is printable ASCII. */
function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  for (let k = from; k < to; k++) {
    const c = bytes[k] as number
    if (c < 32 || c >= DELETE) return false
  }
  return true
}

const [FIRST, NEXT] = [Buffer.from('[{"name":'), Buffer.from(',{"name":')]
const [ID, GENERATION] = [Buffer.from(',"id":'), Buffer.from(',"generation":')]

/** As {@link jsonLines} of {@link listed}. */
function* asJson(all: Columns, withUnnamed: boolean): IterableIterator<Uint8Array> {
  const lines = new Lines()
  const end = alike(all, ({ kind, type, length, dim, nbytes }) =>
    Buffer.from(`,${JSON.stringify({ kind, type, length, dim, nbytes }).slice(1)}\n`),
  )
  const { names, ids, generations } = all
  const bytes = Buffer.from(names.bytes.buffer, names.bytes.byteOffset, names.bytes.length)
  let isFirst = true
  for (let i = 0, from = 0; i < ids.length; i++) {
    const length = names.lengths[i] as number
    if (length >= 0 || withUnnamed) {
      lines.copy(isFirst ? FIRST : NEXT)
      isFirst = false
      if (length < 0) lines.text('null')
      else if (needsNoEscape(bytes, from, from + length)) {
        lines.byte(QUOTE)
        lines.copy(bytes, from, from + length)
        lines.byte(QUOTE)
      } else lines.text(JSON.stringify(bytes.toString('utf8', from, from + length)))
      lines.copy(ID)
      lines.number(ids[i] as number)
      lines.copy(GENERATION)
      lines.number(generations[i] as number)
      const rest = end(i)
      lines.copy(rest)
      if (lines.isFull) yield lines.take()
    }
    if (length > 0) from += length
  }
  lines.text(isFirst ? '[]\n' : ']\n')
  yield lines.take()
}

/** Whether JSON writes these bytes as they are: UTF-8 stays what it is. */
function needsNoEscape(bytes: Uint8Array, from: number, to: number): boolean {
  for (let k = from; k < to; k++) {
    const c = bytes[k] as number
    if (c < 32 || c === QUOTE || c === BACKSLASH) return false
  }
  return true
}
