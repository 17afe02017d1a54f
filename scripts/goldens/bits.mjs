// Doubles as the goldens write them: 16 lower-case hex digits, most significant first. Knows the two NaNs of the format, and how far two
// doubles may be apart. It may touch nothing else.

export const NA = '7ff00000000007a2'
export const NAN = '7ff8000000000000'

const word = new BigUint64Array(1)
const double = new Float64Array(word.buffer)

/** The double of 16 hex digits. NaNs arrive as NaN: compare their digits instead. */
export function toDouble(hex) {
  word[0] = BigInt(`0x${hex}`)
  return double[0]
}

/** The digits of a double's bits, every NaN mapped to NA (low word 1954) or NaN. */
export function hexOfBits(bits) {
  const magnitude = bits & 0x7fffffffffffffffn
  if (magnitude > 0x7ff0000000000000n) return (bits & 0xffffffffn) === 1954n ? NA : NAN
  return bits.toString(16).padStart(16, '0')
}

/** The digits of a JavaScript number, which is never NA. */
export function hexOf(number) {
  if (Number.isNaN(number)) return NAN
  double[0] = number
  return hexOfBits(word[0])
}

/** The digits of every double of a Float64Array: bits are read as bits, since a NaN that passes through a number may lose its payload. */
export function hexOfAll(view) {
  const bits = new BigUint64Array(view.buffer, view.byteOffset, view.length)
  return Array.from(bits, hexOfBits)
}

/** A Float64Array with exactly these bits. */
export function doublesOf(hexes) {
  const bits = BigUint64Array.from(hexes, hex => BigInt(`0x${hex}`))
  return new Float64Array(bits.buffer)
}

export const isNaNHex = hex => hex === NA || hex === NAN

/** Distance from |x| to the next larger double, for finite x; that of the largest double is its own last place. */
export function ulp(x) {
  double[0] = Math.abs(x)
  const exponent = Math.max(1, Number(word[0] >> 52n))
  return 2 ** (exponent - 1075)
}

/** R's spelling, for people. */
export function decimal(hex) {
  if (hex === NA) return 'NA'
  const x = toDouble(hex)
  return Object.is(x, -0) ? '-0' : String(x).replace('Infinity', 'Inf')
}
