// Contents that can be made again from a seed, and the comparison of contents by bits (NaN patterns included).

/** The five fixed-width types of the first phase with their widths in bytes and the array that carries their bits. */
export const TYPES = Object.freeze({
  logical: { width: 4, array: Int32Array },
  integer: { width: 4, array: Int32Array },
  numeric: { width: 8, array: Float64Array },
  complex: { width: 16, array: Float64Array },
  raw: { width: 1, array: Uint8Array },
})

/** A small generator of 32-bit numbers (mulberry32): the same sequence on every machine and version. */
export function random(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 15), z | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return (z ^ (z >>> 14)) >>> 0
  }
  return {
    /** a whole number in 0..2^32-1 */
    bits: next,
    /** a whole number in 0..n-1 */
    below: n => Math.floor((next() / 4294967296) * n),
    pick: items => items[Math.floor((next() / 4294967296) * items.length)],
  }
}

/** Contents of a vector: `length` elements (complex: 2n doubles), determined by type, length and seed. Never NaN, NA only in logical. */
export function content(type, length, seed) {
  const { array } = TYPES[type]
  const out = new array(type === 'complex' ? 2 * length : length)
  const { bits } = random(seed)
  if (type === 'logical') for (let i = 0; i < out.length; i++) out[i] = [0, 1, -2147483648][bits() % 3]
  else if (type === 'raw') for (let i = 0; i < out.length; i++) out[i] = bits()
  else if (type === 'integer')
    for (let i = 0; i < out.length; i++) out[i] = (bits() | 0) === -2147483648 ? 0 : bits() | 0
  else for (let i = 0; i < out.length; i++) out[i] = bits() / 65536 - 20000
  return out
}

/** The bytes behind any typed array, shared. */
export function bytesOf(array) {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}

/** Whether two typed arrays hold the same bits. */
export function sameBits(a, b) {
  return a.byteLength === b.byteLength && bytesOf(a).equals(bytesOf(b))
}
