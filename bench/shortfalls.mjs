// Why a figure is below its target, as far as it was measured: said in RESULTS.md under the table, for the rows that are short in it. A row that is
// short without a reason here fails the report: nothing is missed in silence.

/** Names of rows, and what was found. */
const REASONS = [
  [
    /^a < b/,
    'bound by memory. A logical has four bytes, in R and in the file, so a comparison moves 20 bytes an element, at the rate of a plain copy; numpy moves 17. The target would need a memory half as fast again as this one.',
  ],
  [
    /^l & m/,
    'bound by memory, at the rate of a plain copy: 12 bytes an element, where numpy, given the same operands, moves 9, because its result has one byte. Beside it stands what numpy takes when its operands have one byte, too.',
  ],
  [
    /^exp,/,
    'bound by computing: the rate is the same with operands in the cache. numpy has a routine written for AVX-512 with fused multiply-add and a table; ours has the same bits on every instruction set.',
  ],
]

export function reasonFor(name) {
  const found = REASONS.find(([pattern]) => pattern.test(name))
  if (found === undefined)
    throw new Error(`bench/shortfalls.mjs has no reason for "${name}", which is below its target`)
  return found[1]
}
