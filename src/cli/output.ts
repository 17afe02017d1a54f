/**
 * What the commands print: tables, sizes, progress, errors. Results go to stdout; everything else to stderr, progress only to a terminal.
 */
import { isFmallocError, type FmallocErrorCode } from '../errors.js'
import type { Progress } from '../types.js'

/** Exit codes; docs/cli.md has the table. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  locked: 4,
  noStore: 5,
  damaged: 6,
  exists: 7,
  interrupted: 130,
} as const

const CODES: { readonly [C in FmallocErrorCode]?: number } = {
  ERR_FMALLOC_ARGUMENT: EXIT.usage,
  ERR_FMALLOC_NOT_FOUND: EXIT.notFound,
  ERR_FMALLOC_LOCKED: EXIT.locked,
  ERR_FMALLOC_BUSY: EXIT.locked,
  ERR_FMALLOC_NOT_A_STORE: EXIT.noStore,
  ERR_FMALLOC_VERSION: EXIT.noStore,
  ERR_FMALLOC_MODE: EXIT.noStore,
  ERR_FMALLOC_CORRUPT: EXIT.damaged,
  ERR_FMALLOC_TRUNCATED: EXIT.damaged,
  ERR_FMALLOC_STALE_REF: EXIT.damaged,
  ERR_FMALLOC_EXISTS: EXIT.exists,
}

/** The line of help that every command has. */
export const JSON_HELP = '  --json         prints JSON'

/** Wrong arguments. */
export class UsageError extends Error {}

/** The exit code for an error, and the one line that says what it is. */
export function describeError(e: unknown): { exit: number; code: string; line: string } {
  if (e instanceof UsageError) return { exit: EXIT.usage, code: 'USAGE', line: e.message }
  if (isFmallocError(e)) {
    return { exit: CODES[e.code] ?? EXIT.failed, code: e.code, line: `${plain(e.message)} (${e.code})` }
  }
  const message = e instanceof Error ? e.message : String(e)
  return { exit: EXIT.failed, code: 'ERROR', line: plain(message) }
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const EACH_UNPRINTABLE = new RegExp(UNPRINTABLE, 'gu')

/** Text as a terminal can show it in one line: what would move its cursor is written as an escape. */
export function plain(text: string): string {
  if (!UNPRINTABLE.test(text)) return text
  return text.replace(EACH_UNPRINTABLE, c => `\\u{${(c.codePointAt(0) as number).toString(16)}}`)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** Bytes with three digits or so. */
export function size(nbytes: number): string {
  let [n, unit] = [nbytes, 0]
  while (n >= 1024 && unit < UNITS.length - 1) [n, unit] = [n / 1024, unit + 1]
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`
}

/** Writes to stdout; resolves when the pipe has room again. */
export function write(text: string | Uint8Array): Promise<void> | void {
  if (process.stdout.write(text)) return
  return new Promise(resolve => process.stdout.once('drain', resolve))
}

const CHUNK = 1 << 18

/** Writes lines in large pieces. */
export async function writeLines(lines: Iterable<string>): Promise<void> {
  let text = ''
  for (const line of lines) {
    text += line + '\n'
    if (text.length >= CHUNK) {
      await write(text)
      text = ''
    }
  }
  await write(text)
}

/** An array with one element a line. */
export function* jsonLines(list: Iterable<unknown>): IterableIterator<string> {
  let before = '['
  for (const x of list) {
    yield before + JSON.stringify(x)
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}

/** Rows under a header; columns of numbers end where their widest does. */
export function* table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): IterableIterator<string> {
  const widths = header.map(text => text.length)
  for (const row of rows) {
    for (let k = 0; k < widths.length; k++) {
      const { length } = row[k] as string
      if (length > (widths[k] as number)) widths[k] = length
    }
  }
  const isRight = header.map((_, k) => right.includes(k))
  const last = header.length - 1
  for (const row of [header, ...rows]) {
    let line = ''
    for (let k = 0; k <= last; k++) {
      const [text, width] = [row[k] as string, widths[k] as number]
      if (isRight[k]) line += text.padStart(width)
      else line += k === last ? text : text.padEnd(width)
      if (k < last) line += '  '
    }
    yield line
  }
}

/** Shows progress on a terminal and nothing elsewhere. */
export function progressLine(what: string): { onProgress?: (p: Progress) => void; end: () => void } {
  const { stderr } = process
  if (!stderr.isTTY) return { end: () => {} }
  const onProgress = ({ done, total, unit }: Progress): void => {
    const percent = total > 0 ? Math.floor((100 * done) / total) : 100
    const amount = unit === 'bytes' ? `${size(done)} of ${size(total)}` : `${done} of ${total} ${unit}`
    stderr.write(`\r\x1b[K${what}: ${percent} %, ${amount}`)
  }
  return { onProgress, end: () => void stderr.write('\r\x1b[K') }
}
