/**
 * Names as the binding gives them: all of a store in one piece, so that a million names cross at once and become strings when somebody wants
 * them.
 */
import { Buffer } from 'node:buffer'
import type { NativeTexts } from './native.js'

/** Bytes made to a string at a time: whoever keeps one name keeps so much alive. */
const BLOCK = 4096

/** Each text, or null; a view on the same bytes. */
export function* eachText({ bytes, lengths }: NativeTexts): Generator<string | null, undefined> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0, at = 0; i < lengths.length;) {
    let [next, end] = [i, at]
    do end += Math.max(0, lengths[next++] as number)
    while (next < lengths.length && end + (lengths[next] as number) - at <= BLOCK)
    const block = all.toString('utf8', at, end)
    // Where each byte is a character, the lengths are those of the strings.
    const isAscii = block.length === end - at
    for (let from = 0; i < next; i++) {
      const length = lengths[i] as number
      if (length < 0) yield null
      else if (isAscii) yield block.slice(from, from + length)
      else yield all.toString('utf8', at + from, at + from + length)
      from += Math.max(0, length)
    }
    at = end
  }
}

/** The same of texts that are all there. */
export function eachName(names: NativeTexts): Generator<string, undefined> {
  return eachText(names) as Generator<string, undefined>
}
