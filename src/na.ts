/**
 * NA in bits, the only place that knows them. R's numeric NA is the NaN with low word 1954. Only the low word is tested: arrays and
 * arithmetic may set the quiet bit of the high word. It is written and read through a Uint32Array, because a NaN that passes
 * through a JavaScript number may lose its payload. Integer and logical NA is the smallest int32.
 */

export const INT_NA = -2147483648
export const INT_MAX = 2147483647
/** Low and high word of the NA a store writes. Payloads are little-endian on every platform we run on. */
export const NA_LOW = 1954
export const NA_HIGH = 0x7ff00000

/** Writes NA as double number `k` of the memory under `words`. */
export function writeNa(words: Uint32Array, k: number): void {
  words[2 * k] = NA_LOW
  words[2 * k + 1] = NA_HIGH
}
