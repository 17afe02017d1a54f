/**
 * Short strings, read where they stand: a view of a character vector (docs/FORMAT.md, "Strings") holds up to twelve bytes of text itself.
 * Plain ASCII of such a view is made a string here; whatever else a view says, or cannot say, is the binding's to read or to refuse.
 */
const { load } = Atomics
const { fromCharCode } = String

/**
 * The string of view `k`, or undefined: ask the binding. Another thread writes a view in one piece, and this reads it in four: it counts only
 * if it reads the same twice, by loads that no compiler merges.
 */
export function inlineText(words: Int32Array, k: number): string | undefined {
  const at = 4 * k
  const n = load(words, at)
  if (n >>> 0 > 12) return undefined
  const a = load(words, at + 1)
  const b = load(words, at + 2)
  const c = load(words, at + 3)
  if (((a | b | c) & 0x80808080) !== 0) return undefined
  if (load(words, at) !== n || load(words, at + 1) !== a) return undefined
  if (load(words, at + 2) !== b || load(words, at + 3) !== c) return undefined
  return ascii(n, a, b, c)
}

/** `n` bytes of three words; undefined where something stands behind them. Calls of fixed arity are the fast ones. */
function ascii(n: number, a: number, b: number, c: number): string | undefined {
  if (n <= 4) return (b | c) !== 0 ? undefined : ascii4(n, a)
  const a0 = a & 255
  const a1 = (a >>> 8) & 255
  const a2 = (a >>> 16) & 255
  const a3 = a >>> 24
  const b0 = b & 255
  const b1 = (b >>> 8) & 255
  const b2 = (b >>> 16) & 255
  const b3 = b >>> 24
  if (n <= 8) {
    if (c !== 0) return undefined
    if (n === 8) return fromCharCode(a0, a1, a2, a3, b0, b1, b2, b3)
    if (b3 !== 0) return undefined
    if (n === 7) return fromCharCode(a0, a1, a2, a3, b0, b1, b2)
    if (b2 !== 0) return undefined
    if (n === 6) return fromCharCode(a0, a1, a2, a3, b0, b1)
    return b1 !== 0 ? undefined : fromCharCode(a0, a1, a2, a3, b0)
  }
  const c0 = c & 255
  const c1 = (c >>> 8) & 255
  const c2 = (c >>> 16) & 255
  const c3 = c >>> 24
  if (n === 12) return fromCharCode(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3)
  if (c3 !== 0) return undefined
  if (n === 11) return fromCharCode(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2)
  if (c2 !== 0) return undefined
  if (n === 10) return fromCharCode(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1)
  return c1 !== 0 ? undefined : fromCharCode(a0, a1, a2, a3, b0, b1, b2, b3, c0)
}

/** The same of one word. */
function ascii4(n: number, a: number): string | undefined {
  const a0 = a & 255
  const a1 = (a >>> 8) & 255
  const a2 = (a >>> 16) & 255
  const a3 = a >>> 24
  if (n === 4) return fromCharCode(a0, a1, a2, a3)
  if (a3 !== 0) return undefined
  if (n === 3) return fromCharCode(a0, a1, a2)
  if (a2 !== 0) return undefined
  if (n === 2) return fromCharCode(a0, a1)
  if (a1 !== 0) return undefined
  if (n === 1) return fromCharCode(a0)
  return a0 !== 0 ? undefined : ''
}
